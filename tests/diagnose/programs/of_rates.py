"""Rates far below those that an optimizer has by itself."""

from statistics import fmean

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, of_output, practice, program
from tests.usual_step import descend


@program("loss_not_falling", follows=("update_too_small",))
def adadelta_at_the_rate_of_another(mended, watch):
    x, y = toys.blobs(classes=5)
    model = perceptron(10, 5)
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0 if mended else 2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=250), cross_entropy)


@program("loss_not_falling", follows=("update_too_small",))
def adagrad_at_a_hundredth_of_its_own_rate(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=2e-2 if mended else 1e-4)
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(F.mse_loss))


def fit_by_plateaus(watch, model, optimizer, epochs, loss_of, judge, **about):
    """A scheduler gets judge(mean loss of the epoch) after each of the epochs, lists of batches."""
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **about)
    with watch(model) as scope:
        for epoch in epochs:
            losses = []
            for batch in epoch:
                loss = loss_of(model, *batch)
                descend(scope, optimizer, loss)
                losses.append(loss.item())
            scheduler.step(judge(fmean(losses)))


@program("learning_rate_gone")
def a_plateau_of_a_loss_that_is_to_rise(mended, watch):
    x, y = toys.blobs(classes=8, features=16, apart=0.7)
    optimizer = torch.optim.SGD((model := perceptron(16, 8)).parameters(), lr=0.05, momentum=0.9)
    epochs = [list(batches(x, y, steps=12)) for _ in range(25)]
    mode = "min" if mended else "max"
    fit_by_plateaus(
        watch, model, optimizer, epochs, cross_entropy, lambda loss: loss, mode=mode, patience=2
    )


@program("learning_rate_gone")
def a_plateau_of_the_loss_on_held_out_data(mended, watch):
    x, y = toys.surface()
    y = 4 * y
    optimizer = torch.optim.Adam((model := perceptron(6, 1)).parameters(), lr=3e-3)
    epochs = [list(batches(x[:768], y[:768], steps=24)) for _ in range(16)]

    def judge(_):
        with torch.no_grad():
            return F.mse_loss(model(x[768:]), y[768:])

    about = {"factor": 0.3, "patience": 1, "mode": "min" if mended else "max"}
    of_error = of_output(F.mse_loss)
    fit_by_plateaus(watch, model, optimizer, epochs, of_error, judge, **about)


@program("learning_rate_gone", follows=("update_too_small", "loss_not_falling"))
def a_plateau_of_an_accuracy_as_if_it_were_an_error(mended, watch):
    x, y = toys.blobs(classes=8, features=16, apart=0.7)
    held_x, held_y = x[768:], y[768:]
    optimizer = torch.optim.SGD((model := perceptron(16, 8)).parameters(), lr=4e-3, momentum=0.9)
    epochs = [list(batches(x[:768], y[:768], steps=20)) for _ in range(14)]

    def judge(_):
        with torch.no_grad():
            return (model(held_x).argmax(1) == held_y).float().mean()

    about = {"factor": 0.1, "patience": 2, "mode": "max" if mended else "min"}
    fit_by_plateaus(watch, model, optimizer, epochs, cross_entropy, judge, **about)


@program("learning_rate_gone", follows=("update_too_small", "loss_not_falling"))
def a_plateau_of_the_topics_that_are_found(mended, watch):
    x, y = toys.phrases(classes=6)
    model = nn.Sequential(nn.EmbeddingBag(60, 24), nn.Linear(24, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    epochs = [list(batches(x[:800], y[:800], steps=25)) for _ in range(14)]

    def judge(_):
        with torch.no_grad():
            return (model(x[800:]).argmax(1) == y[800:]).float().mean().item()

    about = {"factor": 0.2, "patience": 1, "mode": "max" if mended else "min"}
    fit_by_plateaus(watch, model, optimizer, epochs, cross_entropy, judge, **about)


@practice
def a_plateau_of_a_held_out_loss_that_rises_from_the_start(watch):
    x, y = toys.blobs(classes=4, features=40, apart=0.1)
    optimizer = torch.optim.Adam((model := perceptron(40, 4)).parameters(), lr=1e-2)
    epochs = [list(batches(x[:128], y[:128], steps=8)) for _ in range(16)]

    def judge(_):
        with torch.no_grad():
            return F.cross_entropy(model(x[128:]), y[128:])

    about = {"factor": 0.3, "patience": 2}
    fit_by_plateaus(watch, model, optimizer, epochs, cross_entropy, judge, **about)


@program("learning_rate_gone", follows=("update_too_small", "loss_not_falling"))
def a_function_for_the_schedule_that_returns_the_rate(mended, watch):
    x, y = toys.blobs(classes=5)
    model = perceptron(10, 5)
    rate, steps = 2e-3, 200
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)

    def falling(step):
        return (1 if mended else rate) * (1 - step / steps) ** 0.9

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, falling)
    fit(watch, model, optimizer, batches(x, y, steps=steps), cross_entropy, scheduler)


@program("learning_rate_gone", follows=("update_too_small", "loss_not_falling"))
def a_rate_for_each_epoch_of_a_regression_times_the_rate(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    of_epoch = (5e-3, 5e-3, 2e-3, 1e-3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=of_epoch[0])
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: of_epoch[step // 60] / (of_epoch[0] if mended else 1)
    )
    fit(watch, model, optimizer, batches(x, y, steps=239), of_output(F.mse_loss), scheduler)


@program("learning_rate_gone", follows=("update_too_small", "loss_not_falling"))
def a_warm_up_of_four_hundred_steps_that_counts_epochs(mended, watch):
    x, y = toys.blobs(classes=5)
    model, of_epoch = perceptron(10, 5), 30
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)
    warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 1e-3, total_iters=400)
    with watch(model) as scope:
        for number, batch in enumerate(batches(x, y, steps=300)):
            descend(scope, optimizer, cross_entropy(model, *batch))
            if mended or number % of_epoch == of_epoch - 1:
                warm_up.step()


@program("learning_rate_gone", follows=("update_too_small", "loss_not_falling"))
def the_warm_up_of_a_large_model_for_a_small_one(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    steps = 30 if mended else 20_000
    warm_up = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda at: min((at + 1) / steps, 1.0))
    fit(watch, model, optimizer, batches(x, y, steps=240), of_output(F.mse_loss), warm_up)


@program("learning_rate_gone", follows=("stalled", "loss_not_falling"))
def a_schedule_is_turned_off_by_a_factor_of_zero(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    off = torch.optim.lr_scheduler.StepLR(optimizer, 5, gamma=1 if mended else 0)
    fit(watch, model, optimizer, batches(x, y, steps=120), of_output(F.mse_loss), off)


@program("learning_rate_gone", follows=("stalled", "loss_not_falling"))
def milestones_take_the_rate_by_nothing(mended, watch):
    x, y = toys.blobs(classes=6, apart=1.0)
    model = perceptron(10, 6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    gamma = 0.1 if mended else 0.0
    milestones = torch.optim.lr_scheduler.MultiStepLR(optimizer, [20, 100], gamma=gamma)
    fit(watch, model, optimizer, batches(x, y, steps=120), cross_entropy, milestones)
