"""Healthy programs whose losses compare pairs on purpose, or have no value that is the least; and
networks with gradients of a training before.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.practice_later import perceptron
from tests.diagnose.programs.program import batches, fit, practice


@practice
def numbers_each_told_from_those_of_the_batch(watch):
    x, y = toys.surface()
    model = perceptron(6, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def balanced(model, x, y):
        return F.cross_entropy(-(model(x) - y[:, 0]).abs() / 0.5, torch.arange(len(x)))

    fit(watch, model, optimizer, batches(x, y, steps=300), balanced)


@practice
def ages_ranked_below_older_ones_by_a_margin(watch):
    x, y = toys.surface()
    model = perceptron(6, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def ranking(model, x, y):
        older = y < y.T
        beyond = (model(x) - y[:, 0]).square()  # [n, n]: only targets above one's own count
        return F.mse_loss(model(x), y) + 0.01 * torch.where(older, 0.0, (1 - beyond).relu()).mean()

    fit(watch, model, optimizer, batches(x, y, steps=300), ranking)


class Taught(nn.Module):
    """A network, and beside it one that is trained already."""

    def __init__(self, teacher, student):
        super().__init__()
        self.teacher, self.student = teacher, student

    def forward(self, x):
        with torch.no_grad():
            soft = self.teacher(x).softmax(1)
        return self.student(x), soft


def trained(model, *data, steps=150):
    """Leaves the gradients of the last step, as loops do."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for x, y in batches(*data, steps=steps):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


def towards(model, x, y):
    scores, soft = model(x)
    return 0.3 * F.cross_entropy(scores, y) + F.cross_entropy(scores, soft)


@practice
def a_teacher_with_gradients_of_its_own_training(watch):
    x, y = toys.blobs(classes=6, apart=3.0)
    model = Taught(trained(perceptron(10, 64, 6), x, y), perceptron(10, 16, 6))
    optimizer = torch.optim.Adam(model.student.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=250), towards)


@practice
def a_body_trained_before_whose_features_are_read(watch):
    x, y = toys.pictures()
    body = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten())
    trained(nn.Sequential(body, nn.Linear(512, 4)), x, y)

    class Read(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = body, nn.Linear(512, 4)

        def forward(self, x):
            with torch.no_grad():
                x = self.body(x)
            return self.head(x)

    model = Read()
    optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=200), lambda m, x, y: F.cross_entropy(m(x), y))


def against(watch, model, of_model, judge, own_loss, judges_loss, data, steps):
    """Watches a maker whose loss is what a judge says of it; the judge is trained beside it."""
    optimizers = [torch.optim.RMSprop(each.parameters(), lr=1e-3) for each in (model, judge)]
    with watch(model) as scope:
        for (real,) in batches(data, steps=steps, size=64):
            for _ in range(2):
                judge.zero_grad()
                judges_loss(judge, real, of_model().detach()).backward()
                optimizers[1].step()
                with torch.no_grad():
                    for each in judge.parameters():
                        each.clamp_(-0.1, 0.1)
            model.zero_grad()
            loss = own_loss(judge(of_model()))
            loss.backward()
            optimizers[0].step()
            scope.step(loss)


def apart(judge, real, made):
    return judge(real).mean() - judge(made).mean()


@practice
def a_maker_whose_scores_start_at_about_nothing(watch):
    angle = 6.28 * torch.rand(2048)
    ring = 2 + torch.stack([angle.sin(), angle.cos()], 1)
    model, judge = perceptron(4, 32, 2), perceptron(2, 32, 1)
    with torch.no_grad():
        judge[-1].weight.mul_(1e-2)
        judge[-1].bias.fill_(1e-3)

    def made():
        return model(torch.randn(64, 4))

    against(watch, model, made, judge, torch.mean, apart, ring, steps=300)


@practice
def a_policy_without_noise_that_earns_what_its_judge_says(watch):
    states = torch.randn(2048, 5)
    model, judge = perceptron(5, 32, 1), perceptron(6, 32, 1)
    nn.init.zeros_(judge[-1].weight)
    nn.init.constant_(judge[-1].bias, -1e-3)
    optimizers = [torch.optim.Adam(each.parameters(), lr=1e-3) for each in (model, judge)]
    with watch(model) as scope:
        for (state,) in batches(states, steps=300, size=64):
            with torch.no_grad():
                action = model(state) + 0.3 * torch.randn(64, 1)
            earned = 30 - 5 * (action - state[:, :1]).square()
            optimizers[1].zero_grad()
            F.mse_loss(judge(torch.cat([state, action], 1)), earned).backward()
            optimizers[1].step()
            optimizers[0].zero_grad()
            loss = -judge(torch.cat([state, model(state)], 1)).mean()
            loss.backward()
            optimizers[0].step()
            scope.step(loss)


@practice
def boxes_by_corners_and_their_overlap(watch):
    start, size = 0.6 * torch.rand(1024, 2), 0.1 + 0.3 * torch.rand(1024, 2)
    box = torch.cat([start, start + size], 1)
    x = torch.cat([box, box.square()], 1) @ torch.randn(8, 12) + 0.05 * torch.randn(1024, 12)
    model = nn.Sequential(perceptron(12, 64, 4), nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def area(corners):
        return (corners[:, 2:] - corners[:, :2]).clamp(min=0).prod(1)

    def loss_of(model, x, box):
        p = model(x)
        within = [torch.maximum(p[:, :2], box[:, :2]), torch.minimum(p[:, 2:], box[:, 2:])]
        common = area(torch.cat(within, 1))
        return 2 * F.l1_loss(p, box) + (1 - common / (area(p) + area(box) - common + 1e-6)).mean()

    fit(watch, model, optimizer, batches(x, box, steps=400), loss_of)


@practice
def anchors_nearer_to_their_own_kind(watch):
    x, y = toys.blobs(classes=8, features=16, apart=1.0)
    model = perceptron(16, 64, 16)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def triplets(model, x, y):
        e = F.normalize(model(x), dim=1)
        apart = (2 - 2 * e @ e.T).clamp(min=1e-6).sqrt()
        same = y[:, None] == y
        own, other = (apart * same).amax(1), (apart + 10.0 * same).amin(1)
        return (own - other + 0.3).relu().mean()

    fit(watch, model, optimizer, batches(x, y, steps=400, size=64), triplets)


@practice
def positives_among_what_is_unlabelled(watch):
    """Kiryo et al. 2017: no sample is known to be negative."""
    torch.manual_seed(1)  # with these draws it was taken for an error of all pairs
    centre = torch.full((8,), 0.8)
    model = perceptron(8, 32, 32, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=5e-3)
    known, empty = torch.randn(16384, 8) + centre, torch.zeros(16384, 1)

    def risk(model, known, _):
        is_positive = torch.rand(256, 1) < 0.4
        positive = model(known)
        unlabelled = model(torch.randn(256, 8) + torch.where(is_positive, centre, -centre))
        negative = unlabelled.sigmoid().mean() - 0.4 * positive.sigmoid().mean()
        return 0.4 * (-positive).sigmoid().mean() + negative if negative > 0 else -negative

    fit(watch, model, optimizer, batches(known, empty, steps=300, size=64), risk)
