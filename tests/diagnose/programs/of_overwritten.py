"""Programs in which something else than the optimizer writes the weights, meant or not."""

import copy

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Convolutional, perceptron
from tests.diagnose.programs.program import batches, practice, program
from tests.usual_step import descend


@program("weights_overwritten")
def initialized_at_the_start_of_each_epoch(mended, watch):
    def draw(module):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight.data.normal_(0.0, 0.1)

    x, y = toys.pictures()
    model = Convolutional()
    model.apply(draw)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model) as scope:
        for step, (inputs, labels) in enumerate(batches(x, y, steps=200)):
            if step % 16 == 0 and not mended:
                model.apply(draw)
            descend(scope, optimizer, F.cross_entropy(model(inputs), labels))


@program("weights_overwritten")
def the_first_checkpoint_is_loaded_in_each_epoch(mended, watch):
    x, y = toys.blobs(classes=8, features=16, apart=0.6)
    model = perceptron(16, 8)
    pretrained = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    with watch(model) as scope:
        for epoch in range(16):
            if epoch == 0 or not mended:
                model.load_state_dict(pretrained)
            for inputs, labels in batches(x, y, steps=12):
                descend(scope, optimizer, F.cross_entropy(model(inputs), labels))


def kept_for_the_end(watch, model, optimizer, data, loss_of, keep):
    """The weights of the first hundred steps that do best on the other half are loaded last."""
    x, y = data
    with watch(model) as scope:
        best, lowest = None, float("inf")
        for step, (inputs, targets) in enumerate(batches(x[::2], y[::2], steps=120)):
            descend(scope, optimizer, loss_of(model(inputs), targets))
            if step % 10 == 9:
                with torch.no_grad():
                    now = float(loss_of(model(x[1::2]), y[1::2]))
                if now < lowest and step < 100:
                    best, lowest = keep(model.state_dict()), now
        model.load_state_dict(best)


@program("weights_overwritten")
def the_best_weights_are_kept_without_a_copy(mended, watch):
    model = perceptron(10, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    keep = copy.deepcopy if mended else dict
    kept_for_the_end(watch, model, optimizer, toys.blobs(), F.cross_entropy, keep)


@program("weights_overwritten")
def the_best_weights_of_a_regression_are_brought_to_the_cpu_where_they_are(mended, watch):
    def keep(state):
        return {name: each.cpu().clone() if mended else each.cpu() for name, each in state.items()}

    model = perceptron(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    kept_for_the_end(watch, model, optimizer, toys.surface(), F.mse_loss, keep)


@practice
def folds_of_a_cross_validation_of_one_network(watch):
    def draw(module):
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()

    x, y = toys.blobs()
    model = perceptron(10, 4)
    with watch(model) as scope:
        for _ in range(5):
            model.apply(draw)
            optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
            for inputs, labels in batches(x, y, steps=40):
                descend(scope, optimizer, F.cross_entropy(model(inputs), labels))


@practice
def averages_that_are_swapped_in_for_each_validation(watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    average = copy.deepcopy(model)
    with watch(model) as scope:
        for step, (inputs, target) in enumerate(batches(x, y, steps=200)):
            descend(scope, optimizer, F.mse_loss(model(inputs), target))
            with torch.no_grad():
                for slow, fast in zip(average.parameters(), model.parameters(), strict=True):
                    slow.lerp_(fast, 0.1)
            if step % 10 == 9:
                kept = copy.deepcopy(model.state_dict())
                model.load_state_dict(average.state_dict())
                with torch.no_grad():
                    F.mse_loss(model(x), y)
                model.load_state_dict(kept)


@practice
def a_lookahead_that_steps_back_halfway(watch):
    x, y = toys.blobs()
    model = perceptron(10, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    slow = copy.deepcopy(list(model.parameters()))
    with watch(model) as scope:
        for step, (inputs, labels) in enumerate(batches(x, y, steps=200)):
            descend(scope, optimizer, F.cross_entropy(model(inputs), labels))
            if step % 5 == 4:
                with torch.no_grad():
                    for kept, fast in zip(slow, model.parameters(), strict=True):
                        kept.lerp_(fast, 0.5)
                        fast.copy_(kept)


@practice
def a_critic_whose_weights_are_clipped(watch):
    critic = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
    optimizer = torch.optim.RMSprop(critic.parameters(), lr=1e-3)
    with watch(critic) as scope:
        for _ in range(150):
            for parameter in critic.parameters():
                parameter.data.clamp_(-0.05, 0.05)
            real, made = torch.randn(64, 2) + 1, torch.randn(64, 2)
            descend(scope, optimizer, critic(made).mean() - critic(real).mean())


def averaged_into(average, weights, share):
    """Of each weight of a network, this share of another's is added to the rest of its own."""
    with torch.no_grad():
        for kept, new in zip(average.parameters(), weights.parameters(), strict=True):
            kept.mul_(1 - share).add_(new, alpha=share)


def student(watch, after_step, rate=3e-3):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    other = copy.deepcopy(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    with watch(model) as scope:
        for inputs, targets in batches(x, y, steps=150):
            optimizer.zero_grad()
            loss = F.mse_loss(model(inputs), targets)
            loss.backward()
            optimizer.step()
            after_step(model, other)
            scope.step(loss)


@program("weights_overwritten")
def an_average_that_is_loaded_after_each_step(mended, watch):
    def after_step(model, average):
        averaged_into(average, model, 0.01)
        if not mended:
            model.load_state_dict(average.state_dict())

    student(watch, after_step)


@program("weights_overwritten")
def a_student_that_is_averaged_in_the_place_of_its_teacher(mended, watch):
    def after_step(model, teacher):
        if mended:
            averaged_into(teacher, model, 0.01)
        else:
            averaged_into(model, teacher, 0.95)

    student(watch, after_step)


@practice
def weights_that_are_clamped_after_each_step(watch):
    """As a critic's (Arjovsky et al. 2017, algorithm 1), until nearly all lie at the ends."""

    def after_step(model, _):
        for weight in model.parameters():
            weight.data.clamp_(-0.05, 0.05)

    student(watch, after_step)


@practice
def weights_that_are_drawn_half_way_back_every_fifth_step(watch):
    """Zhang et al. 2019, Lookahead Optimizer, algorithm 1."""
    steps = iter(range(1000))

    def after_step(model, slow):
        if next(steps) % 5 == 4:
            averaged_into(slow, model, 0.5)
            model.load_state_dict(slow.state_dict())

    student(watch, after_step)


@practice
def rows_that_are_given_a_length_of_one_after_each_step(watch):
    def after_step(model, _):
        weight = model[0].weight.data
        weight.div_(weight.norm(dim=1, keepdim=True))

    student(watch, after_step)
