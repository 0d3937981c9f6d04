"""Programs as people ask about them: faults of the output and of the loss.

Written before any was judged, by a writer who had not read the rules.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import asked, batches, fit, of_output

SLOW = (
    "loss_not_falling",
    "update_too_small",
    "vanishing_gradient",
    "saturated",
    "labels_without_signal",
)
LARGE_STEPS = (
    "update_too_large",
    "loss_diverged",
    "gradient_spike",
    "exploding_gradient",
    "dead_units",
    "not_finite",
    "collapsed",
    "saturated",
    "loss_not_falling",
    "overconfident_start",
)


@asked("loss_after_activation", follows=SLOW)
def softmax_before_the_criterion(mended, watch):
    x, y = toys.blobs(classes=3, features=4, count=150)

    class Iris(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.out = nn.Linear(4, 10), nn.Linear(10, 10), nn.Linear(10, 3)

        def forward(self, x):
            x = self.out(F.relu(self.fc2(F.relu(self.fc1(x)))))
            return x if mended else F.softmax(x, dim=1)

    model = Iris()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()
    fit(watch, model, optimizer, batches(x, y, steps=200, size=16), of_output(criterion))


@asked("loss_after_activation", follows=SLOW)
def sigmoid_before_a_loss_with_logits(mended, watch):
    x, y = toys.ring()
    layers = [nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1)]
    model = nn.Sequential(*layers, *([] if mended else [nn.Sigmoid()]))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.003)
    criterion = nn.BCEWithLogitsLoss()
    fit(
        watch,
        model,
        optimizer,
        batches(x, y, steps=250),
        lambda m, x, y: criterion(m(x).squeeze(1), y.float()),
    )


@asked("negative_loss", follows=SLOW)
def likelihood_of_a_softmax(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 4),
        nn.LogSoftmax(dim=1) if mended else nn.Softmax(dim=1),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    criterion = nn.NLLLoss()
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(criterion))


@asked("negative_loss", follows=SLOW)
def divergence_from_a_teacher_without_a_log(mended, watch):
    x, _ = toys.blobs(classes=4, features=8)
    teacher = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 4)).requires_grad_(False)
    teacher[2].weight.mul_(6)
    student = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 4))
    optimizer = torch.optim.Adam(student.parameters(), lr=0.003)

    def distil(model, x):
        soft = F.softmax(teacher(x), dim=1)
        mine = F.log_softmax(model(x), dim=1) if mended else F.softmax(model(x), dim=1)
        return F.kl_div(mine, soft, reduction="batchmean")

    fit(watch, student, optimizer, batches(x, steps=200), distil)


@asked("softmax_over_batch", follows=SLOW)
def log_softmax_over_the_rows(mended, watch):
    x, y = toys.blobs(classes=4, features=10)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(10, 32), nn.Linear(32, 4)

        def forward(self, x):
            return F.log_softmax(self.fc2(torch.relu(self.fc1(x))), dim=1 if mended else 0)

    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.nll_loss))


@asked(
    "loss_broadcast",
    follows=("loss_not_falling", "collapsed", "labels_without_signal", "update_too_small"),
)
def absolute_error_of_a_column_and_a_row(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(
        nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    criterion = nn.L1Loss()
    y = y if mended else y.squeeze(1)
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(criterion))


@asked(
    "target_out_of_range",
    also=("loss_after_activation",),
    follows=(*SLOW, "dead_units", "idle", "collapsed", "biased", "no_gradient"),
)
def a_relu_before_the_sigmoid(mended, watch):
    x, y = toys.blobs(classes=2, features=8)

    class Churn(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.fc3 = nn.Linear(8, 32), nn.Linear(32, 16), nn.Linear(16, 1)

        def forward(self, x):
            x = F.relu(self.fc2(F.relu(self.fc1(x))))
            x = self.fc3(x) if mended else F.relu(self.fc3(x))
            return torch.sigmoid(x).squeeze(1)

    model = Churn()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    criterion = nn.BCELoss()
    fit(watch, model, optimizer, batches(x, y.float(), steps=250), of_output(criterion))


@asked(
    "loss_reduction", also=("update_too_large: mean", "loss_diverged: mean"), follows=LARGE_STEPS
)
def a_loss_added_up_over_the_samples(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(
        nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def total(model, x, y):
        prediction, loss = model(x), 0.0
        for i in range(len(x)):
            loss = loss + (prediction[i] - y[i]).square().mean()
        return loss / len(x) if mended else loss

    fit(watch, model, optimizer, batches(x, y, steps=120, size=64), total)


@asked("loss_not_finite", also=("not_finite: log",), follows=("not_finite", *LARGE_STEPS))
def cross_entropy_by_hand(mended, watch):
    x, y = toys.blobs(classes=2, features=20, count=600, apart=3.0)
    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

    def by_hand(model, x, y):
        p = model(x).squeeze(1)
        if mended:
            p = p.clamp(1e-6, 1 - 1e-6)
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    fit(watch, model, optimizer, batches(x, y.float(), steps=200), by_hand)


@asked("target_out_of_range", also=("loss_after_activation",), follows=SLOW)
def softmax_for_many_labels(mended, watch):
    x = torch.randn(1000, 12)
    y = (x @ torch.randn(12, 5) > 0).float()
    model = nn.Sequential(
        nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 5), nn.Sigmoid() if mended else nn.Softmax(1)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    criterion = nn.BCELoss()
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(criterion))


@asked(
    "target_out_of_range",
    also=("one_class", "labels_without_signal"),
    follows=(*SLOW, "no_gradient", "dead_units"),
)
def hinge_of_zeros_and_ones(mended, watch):
    x, y = toys.blobs(classes=2, features=8)
    y = 2.0 * y - 1 if mended else y.float()
    svm = nn.Linear(8, 1)
    optimizer = torch.optim.SGD(svm.parameters(), lr=0.05)

    def hinge(model, x, y):
        return (
            torch.clamp(1 - y * model(x).squeeze(1), min=0).mean()
            + 0.001 * model.weight.square().sum()
        )

    fit(watch, svm, optimizer, batches(x, y, steps=250), hinge)


@asked("loss_rising", also=("loss_diverged: sign",), follows=(*LARGE_STEPS, "negative_loss"))
def a_step_up_by_hand(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    with watch(model) as scope:
        for batch_x, batch_y in batches(x, y, steps=200):
            loss = F.mse_loss(model(batch_x), batch_y)
            model.zero_grad()
            loss.backward()
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter += (-0.03 if mended else 0.03) * parameter.grad
            scope.step(loss)


@asked("no_gradient", follows=("loss_not_falling", "not_optimized", "update_too_small"))
def errors_counted_as_the_loss(mended, watch):
    x, y = toys.ring()
    model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1), nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def errors(model, x, y):
        out = model(x).squeeze(1)
        if mended:
            return F.binary_cross_entropy(out, y)
        return ((out > 0.5).float() - y).abs().mean().requires_grad_()

    fit(watch, model, optimizer, batches(x, y.float(), steps=200), errors)
