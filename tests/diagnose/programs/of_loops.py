"""Faults of the training loop: optimizers, schedules and statistics that cannot do their work."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Forecaster, cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, of_output, program
from tests.usual_step import descend


@program("optimizer_averages")
def momentum_that_is_lost_in_each_step(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))

    def new():
        return torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

    optimizer = new()
    with watch(model) as scope:
        for batch_x, batch_y in batches(x, y, steps=150):
            optimizer = optimizer if mended else new()
            descend(scope, optimizer, F.mse_loss(model(batch_x), batch_y))


@program("optimizer_averages")
def betas_exchanged(mended, watch):
    x, y = toys.phrases()
    model = nn.Sequential(nn.EmbeddingBag(60, 32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
    betas = (0.9, 0.98) if mended else (0.98, 0.9)
    optimizer = torch.optim.NAdam(model.parameters(), lr=3e-3, betas=betas)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.cross_entropy))


@program("optimizer_averages")
def an_epsilon_of_a_tenth(mended, watch):
    x, y = toys.phrases()
    model = nn.Sequential(nn.EmbeddingBag(60, 32), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
    eps = 1e-8 if mended else 0.1
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=eps)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.cross_entropy))


@program("optimizer_averages")
def an_epsilon_of_one_as_of_another_network(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(
        nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    eps = 1e-8 if mended else 1.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, eps=eps)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


@program("running_statistics")
def a_momentum_of_zero_to_keep_what_is_pretrained(mended, watch):
    x, y = toys.pictures()
    layers = []
    for channels in (1, 8):
        layers += [
            nn.Conv2d(channels, 8, 3),
            nn.BatchNorm2d(8, momentum=0.01 if mended else 0.0, eps=1e-3),
            nn.ReLU(),
        ]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=120), of_output(F.cross_entropy))


@program("running_statistics")
def a_momentum_of_nothing(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    norm = nn.BatchNorm1d(32, momentum=0.1 if mended else 0.0)
    model = nn.Sequential(nn.Linear(10, 32), norm, nn.ELU(), nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=120), of_output(F.cross_entropy))


@program("not_optimized")
def weights_drawn_anew_after_the_optimizer(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))

    def draw():
        for layer in model:
            for name, old in list(layer.named_parameters()):
                setattr(layer, name, nn.Parameter(0.3 * torch.randn_like(old)))

    if mended:
        draw()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    if not mended:
        draw()
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


@program("not_optimized")
def the_optimizer_of_the_model_before_last(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    models = [nn.Sequential(nn.Linear(10, 32), nn.GELU(), nn.Linear(32, 4)) for _ in range(2)]
    optimizer = torch.optim.AdamW(models[1 if mended else 0].parameters(), lr=3e-3)
    loss = F.cross_entropy
    fit(watch, models[1], optimizer, batches(x, y, steps=120), of_output(loss))


@program("learning_rate_gone", also=("update_too_small",), follows=("loss_not_falling",))
def a_warm_up_of_a_thousand_epochs(mended, watch):
    x, y = toys.blobs(classes=5, features=12)
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 5))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    length = 3 if mended else 1000
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / length, total_iters=length)
    with watch(model) as scope:
        for _ in range(6):
            for batch_x, batch_y in batches(x, y, steps=40):
                descend(scope, optimizer, F.cross_entropy(model(batch_x), batch_y))
            schedule.step()


@program("loss_not_falling", also=("update_too_small",))
def a_rate_that_grows_by_a_hundredth_an_epoch(mended, watch):
    x, y = toys.waves()
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda epoch: min(5000, 5000 ** (epoch + 1)) if mended else 1 + 0.01 * epoch
    )
    with watch(model) as scope:
        for _ in range(7):
            for batch_x, batch_y in batches(x, y, steps=30):
                descend(scope, optimizer, F.mse_loss(model(batch_x), batch_y))
            schedule.step()


@program("gradients_lost")
def gradients_cleared_between_the_parts_of_a_batch(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model) as scope:
        for _ in range(40):
            for part, (batch_x, batch_y) in enumerate(batches(x, y, steps=4, size=8)):
                if part == 0 or not mended:
                    optimizer.zero_grad()
                loss = F.cross_entropy(model(batch_x), batch_y)
                (loss / 4).backward()
            optimizer.step()
            scope.step(loss)


@program("gradients_lost")
def a_step_for_each_pass_through_the_data(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model) as scope:
        for _ in range(30):
            for part, (batch_x, batch_y) in enumerate(batches(x, y, steps=8)):
                loss = F.cross_entropy(model(batch_x), batch_y)
                if mended or part == 7:
                    descend(scope, optimizer, loss)


@program("gradients_lost")
def the_last_window_of_a_series_alone(mended, watch):
    x, y = toys.waves()
    model = Forecaster(12)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    with watch(model) as scope:
        for batch_x, batch_y in batches(x, y, steps=60, size=60):
            parts = [F.mse_loss(model(batch_x[k::6]), batch_y[k::6]) for k in range(6)]
            loss = sum(parts) / 6 if mended else parts[-1]
            descend(scope, optimizer, loss)


@program("gradients_lost")
def gradients_clipped_when_the_step_is_over(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    with watch(model) as scope:
        for batch_x, batch_y in batches(x, y):
            optimizer.zero_grad()
            loss = F.mse_loss(model(batch_x), batch_y)
            loss.backward()
            if mended:
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            if not mended:
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            scope.step(loss)


@program("clipped_too_far")
def gradients_clipped_before_they_are_unscaled(mended, watch):
    x, y = toys.blobs()
    model, scaler = perceptron(10, 4), torch.amp.GradScaler("cpu")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(model) as scope:
        for inputs, labels in batches(x, y):
            optimizer.zero_grad()
            loss = cross_entropy(model, inputs, labels)
            scaler.scale(loss).backward()
            if mended:
                scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            scaler.step(optimizer)
            scaler.update()
            scope.step(loss)


class Counted(nn.Module):
    """Tokens through a recurrent layer to a class for each."""

    def __init__(self, cut):
        super().__init__()
        self.words, self.recurrent = nn.Embedding(60, 16), nn.GRU(16, 32, batch_first=True)
        self.out, self.cut = nn.Linear(32, 3), cut

    def forward(self, tokens):
        states = self.recurrent(self.words(tokens))[0].mean(1)
        return self.out(self.cut(states))


@program("no_gradient")
def a_recurrence_detached_from_what_reads_it(mended, watch):
    x, y = toys.phrases()
    model = Counted((lambda states: states) if mended else torch.detach)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=80), of_output(F.cross_entropy))


class Detached(nn.Module):
    """A forecaster whose sequence goes through numbers of another library, and back."""

    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.recurrent, self.out = nn.LSTM(1, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x):
        last = self.recurrent(x)[0][:, -1]
        last = last if self.mended else torch.tensor(last.detach().numpy())
        return self.out(last)


@program("no_gradient")
def a_recurrence_that_is_read_as_an_array(mended, watch):
    x, y = toys.waves()
    model = Detached(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x, y, steps=80), of_output(F.mse_loss))


@program("loss_reduction")
def a_mean_divided_by_the_batch_again(mended, watch):
    x, y = toys.blobs(classes=6, features=16, apart=1.0)
    model = perceptron(16, 6)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def loss(net, x, y):
        return cross_entropy(net, x, y) / (1 if mended else len(x))

    fit(watch, model, optimizer, batches(x, y, steps=200), loss)


@program("loss_reduction")
def sums_of_topics_over_the_square_of_the_batch(mended, watch):
    x, y = toys.phrases()
    model = nn.Sequential(nn.EmbeddingBag(60, 16), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def loss(net, x, y):
        of_all = F.cross_entropy(net(x), y, reduction="sum")
        return of_all / (len(x) if mended else len(x) ** 2)

    fit(watch, model, optimizer, batches(x, y, steps=240), loss)


@program("optimizer_averages")
def a_momentum_with_a_nine_too_many(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(
        nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9 if mended else 0.999)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.mse_loss))


@program("optimizer_averages")
def a_decay_of_averages_taken_for_the_momentum(mended, watch):
    x, y = toys.blobs(6, 12, apart=0.8)
    model = nn.Sequential(
        nn.Linear(12, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 6)
    )
    momentum = 0.9 if mended else 0.998
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=momentum, nesterov=True)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.cross_entropy))
