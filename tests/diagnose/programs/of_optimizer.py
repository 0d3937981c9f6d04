"""Programs whose optimizer does not do what its author meant."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Convolutional, Forecaster, cross_entropy, perceptron
from tests.diagnose.programs.of_network import Encoder
from tests.diagnose.programs.program import batches, fit, of_output, program
from tests.usual_step import descend


@program("loss_not_falling", first=False, also=("update_too_small",))
def a_rate_from_another_paper(mended, watch):
    x, y = toys.blobs()
    model = perceptron(10, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1 if mended else 1e-5)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("learning_rate_gone")
def the_schedule_is_stepped_in_every_batch(mended, watch):
    x, y = toys.pictures()
    model = Convolutional()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
    with watch(model) as scope:
        for step, (inputs, labels) in enumerate(batches(x, y)):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), labels)
            loss.backward()
            optimizer.step()
            if not mended or step % 60 == 59:
                scheduler.step()
            scope.step(loss)


@program("loss_diverged", first=False, also=("update_too_large",))
def momentum_and_a_rate_of_one(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02 if mended else 1.0, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))


@program("update_too_large", also=("loss_diverged",))
def adam_with_the_rate_of_sgd(mended, watch):
    series, following = toys.waves()
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3 if mended else 0.5)
    criterion = nn.L1Loss()
    fit(watch, model, optimizer, batches(series, following), of_output(criterion))


@program("loss_rising")
def weights_moved_up_the_gradient_by_hand(mended, watch):
    x, _ = toys.blobs(features=12)
    model = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 12))
    with watch(model) as scope:
        for (inputs,) in batches(x):
            loss = 1 - F.cosine_similarity(model(inputs), inputs).mean()
            model.zero_grad()
            loss.backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter += (-0.2 if mended else 0.2) * parameter.grad
            scope.step(loss)


@program("loss_rising")
def maximize_is_left_from_a_reward(mended, watch):
    x, y = toys.blobs(classes=2)
    model = perceptron(10, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, maximize=not mended)
    criterion = nn.BCEWithLogitsLoss()
    fit(
        watch,
        model,
        optimizer,
        batches(x, y.float(), steps=120),
        lambda m, x, y: criterion(m(x)[:, 0], y),
    )


@program("not_optimized")
def a_new_head_after_the_optimizer(mended, watch):
    x, y = toys.pictures()
    model = Convolutional(classes=10)
    if mended:
        model.fc = nn.Linear(64, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    if not mended:
        model.fc = nn.Linear(64, 4)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


def unfrozen_at(step, mended, watch, body, head, data, loss, rate):
    """A body that is frozen until this step, and that the optimizer gets then if it is mended."""
    body.requires_grad_(False)
    model = nn.Sequential(body, head)
    optimizer = torch.optim.Adam(head.parameters(), lr=rate)
    with watch(model) as scope:
        for k, (x, y) in enumerate(data):
            if k == step:
                body.requires_grad_(True)
                if mended:
                    optimizer.add_param_group({"params": list(body.parameters())})
            descend(scope, optimizer, loss(model(x), y))


@program("not_optimized", also=("frozen_untrained",))
def a_body_that_is_unfrozen_and_not_handed_over(mended, watch):
    x, y = toys.blobs(classes=6, features=16, apart=1.0)
    body = nn.Sequential(nn.Linear(16, 48), nn.GELU(), nn.Linear(48, 12), nn.GELU())
    for each in (body[0], body[2]):
        nn.init.orthogonal_(each.weight)
    data = batches(x, y, steps=240)
    unfrozen_at(30, mended, watch, body, nn.Linear(12, 6), data, F.cross_entropy, 3e-3)


@program("not_optimized", also=("frozen_untrained",))
def an_encoder_that_is_unfrozen_for_the_second_half(mended, watch):
    x, y = toys.surface()
    body = nn.Sequential(nn.Linear(6, 4), nn.Tanh())
    data = batches(x, y, steps=240)
    unfrozen_at(100, mended, watch, body, nn.Linear(4, 1), data, F.mse_loss, 1e-2)


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(5, 16), nn.Linear(5, 16)
        self.head = nn.Linear(32, 4)

    def forward(self, left, *, right):
        both = torch.cat([F.relu(self.left(left)), F.relu(self.right(right))], dim=1)
        return self.head(both)


@program("not_optimized")
def one_branch_is_not_in_the_list(mended, watch):
    x, y = toys.blobs()
    model = TwoInputs()
    given = [*model.left.parameters(), *model.head.parameters()]
    if mended:
        given += model.right.parameters()
    optimizer = torch.optim.Adam(given, lr=3e-3)
    fit(
        watch,
        model,
        optimizer,
        batches(x, y),
        lambda m, x, y: F.cross_entropy(m(x[:, :5], right=x[:, 5:]), y),
    )


@program("gradients_accumulate")
def no_zero_grad_at_all(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    criterion = nn.MSELoss()
    with watch(model) as scope:
        for inputs, target in batches(x, y):
            loss = criterion(model(inputs), target)
            loss.backward()
            optimizer.step()
            scope.step(loss)
            if mended:
                optimizer.zero_grad()


@program("gradients_accumulate")
def zero_grad_once_an_epoch(mended, watch):
    tokens, topic = toys.phrases()
    model = Encoder(0.05)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model) as scope:
        for step, (inputs, labels) in enumerate(batches(tokens, topic)):
            if mended or step % 32 == 0:
                optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), labels)
            loss.backward()
            optimizer.step()
            scope.step(loss)


@program("gradients_accumulate")
def descent_by_hand_that_never_clears(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    with watch(model) as scope:
        for inputs, target in batches(x, y):
            loss = F.mse_loss(model(inputs), target)
            loss.backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter -= 0.1 * parameter.grad
                    if mended:
                        parameter.grad.zero_()
            scope.step(loss)


@program("gradients_accumulate")
def momentum_by_hand_on_data_that_never_clears(mended, watch):
    tokens, topic = toys.phrases()
    model = Encoder(0.05)
    moved = [torch.zeros_like(parameter) for parameter in model.parameters()]
    with watch(model) as scope:
        for inputs, labels in batches(tokens, topic):
            if mended:
                model.zero_grad()
            loss = F.cross_entropy(model(inputs), labels)
            loss.backward()
            for parameter, speed in zip(model.parameters(), moved, strict=True):
                speed.mul_(0.9).add_(parameter.grad)
                parameter.data.sub_(0.02 * speed)
            scope.step(loss)


def autocast_loss(low, loss_of):
    """The loss in bfloat16 weights, or in float32 weights with passes in bfloat16."""

    def loss(model, x, y):
        if low:
            return loss_of(model(x).float(), y)
        with torch.autocast("cpu", torch.bfloat16):
            return loss_of(model(x).float(), y)

    return loss


@program("updates_rounded_away")
def a_perceptron_turned_into_bfloat16(mended, watch):
    x, y = toys.blobs(features=16, apart=3.0)
    model = perceptron(16, 4)
    if not mended:
        model, x = model.bfloat16(), x.bfloat16()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4)
    fit(watch, model, optimizer, batches(x, y), autocast_loss(not mended, F.cross_entropy))


@program("updates_rounded_away")
def a_transformer_turned_into_bfloat16(mended, watch):
    tokens, topic = toys.phrases()
    model = Encoder(0.0)
    if not mended:
        model = model.to(torch.bfloat16)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
    fit(watch, model, optimizer, batches(tokens, topic), autocast_loss(not mended, F.cross_entropy))


@program("weights_decay_to_zero")
def a_weight_decay_of_one(mended, watch):
    x, y = toys.blobs()
    model = perceptron(10, 4)
    decay = 1e-4 if mended else 1.0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=decay)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("weights_decay_to_zero")
def a_penalty_of_its_own_that_is_too_strong(mended, watch):
    x, y = toys.pictures()
    model = Convolutional()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    factor = 1e-4 if mended else 0.5

    def loss(m, x, y):
        return F.cross_entropy(m(x), y) + factor * sum(p.pow(2).sum() for p in m.parameters())

    fit(watch, model, optimizer, batches(x, y, steps=250), loss)


@program("weights_decay_to_zero")
def a_decay_that_outweighs_the_rate(mended, watch):
    x, y = toys.blobs(classes=6)
    model = perceptron(10, 6)
    decay = 0.01 if mended else 40.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=decay)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)


@program("weights_decay_to_zero")
def an_l2_of_a_tenth_on_each_layer(mended, watch):
    x, y = toys.blobs(classes=6)
    model = perceptron(10, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    factor = 1e-4 if mended else 0.1

    def loss(m, x, y):
        weights = [p for name, p in m.named_parameters() if name.endswith("weight")]
        return F.cross_entropy(m(x), y) + factor * sum(w.pow(2).sum() for w in weights)

    fit(watch, model, optimizer, batches(x, y, steps=250), loss)
