"""Programs as forums and bug reports describe them: faults of inputs, targets and labels.

Written before any was judged.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import asked, batches, fit, of_output

SLOW = (
    "loss_not_falling",
    "update_too_small",
    "vanishing_gradient",
    "labels_without_signal",
    "collapsed",
)
LARGE_STEPS = (
    "update_too_large",
    "loss_diverged",
    "gradient_spike",
    "exploding_gradient",
    "dead_units",
    "saturated",
    "overconfident_start",
    *SLOW,
)


@asked("input_scale", follows=SLOW)
def statistics_of_bytes_for_pictures_of_0_to_1(mended, watch):
    x, y = toys.pictures()
    x = (x - 0.48) / 0.23 if mended else (x - 123.0) / 58.0
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@asked("input_scale", follows=LARGE_STEPS)
def gaps_filled_with_minus_9999(mended, watch):
    x, y = toys.blobs(classes=3, features=8)
    gaps = torch.rand(x.shape) < 0.05
    x = torch.where(gaps, 0.0 if mended else -9999.0, x)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@asked("input_scale", follows=LARGE_STEPS)
def numbers_of_users_as_inputs(mended, watch):
    user, item = torch.randint(400, (2000,)), torch.randint(300, (2000,))
    taste, kind = torch.randn(400), torch.randn(300)
    y = (taste[user] * kind[item] + 0.3 * torch.randn(2000))[:, None]

    class Rating(nn.Module):
        def __init__(self):
            super().__init__()
            self.user, self.item = nn.Embedding(400, 8), nn.Embedding(300, 8)
            self.fc = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1))

        def forward(self, user, item):
            return self.fc(torch.cat([self.user(user), self.item(item)], dim=1))

    model = Rating() if mended else Numbers()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    fit(
        watch,
        model,
        optimizer,
        batches(user, item, y, steps=300),
        lambda m, user, item, y: F.mse_loss(m(user, item), y),
    )


class Numbers(nn.Module):
    """What the numbers themselves are fed to."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, user, item):
        return self.fc(torch.stack([user, item], dim=1).float())


@asked("input_scale", follows=LARGE_STEPS)
def the_step_of_a_diffusion_as_a_number(mended, watch):
    angle = 2 * math.pi * torch.rand(1024, 1)
    x = torch.cat([angle.cos(), angle.sin()], dim=1)
    kept = torch.linspace(0.9999, 0.98, 1000).cumprod(0).sqrt()[:, None]
    model = nn.Sequential(
        nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

    def noise_told_from(model, x):
        step, noise = torch.randint(1000, (len(x),)), torch.randn_like(x)
        noisy = kept[step] * x + (1 - kept[step] ** 2).sqrt() * noise
        time = step[:, None].float()
        return F.mse_loss(model(torch.cat([noisy, time / 1000 if mended else time], 1)), noise)

    fit(watch, model, optimizer, batches(x, steps=300, size=64), noise_told_from)


@asked("negative_loss", follows=("target_out_of_range", *LARGE_STEPS))
def masks_of_0_and_255(mended, watch):
    x, _ = toys.pictures()
    mask = (F.avg_pool2d(x, 3, 1, 1) > 0.5).float() * (1 if mended else 255)
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    criterion = nn.BCEWithLogitsLoss()
    fit(watch, model, optimizer, batches(x, mask, steps=150, size=16), of_output(criterion))


@asked("target_out_of_range", follows=SLOW)
def several_labels_into_cross_entropy(mended, watch):
    x = torch.randn(1000, 12)
    y = (x @ torch.randn(12, 6) > 0).float()
    model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 6))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    loss = F.binary_cross_entropy_with_logits if mended else F.cross_entropy
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(loss))


@asked("labels_without_signal", follows=SLOW)
def targets_reshaped_that_should_be_transposed(mended, watch):
    x, first = toys.surface()
    second = x[:, 4:5] + 0.5 * x[:, 5:6].abs()
    both = torch.stack([first[:, 0], second[:, 0]])  # [2, samples]
    y = both.T if mended else both.reshape(-1, 2)
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=300), of_output(F.mse_loss))


@asked("target_scale", follows=LARGE_STEPS)
def returns_of_thousands(mended, watch):
    state = torch.randn(2000, 5)
    reward = 800 * state[:, :1] - 500 * state[:, 1:2].abs() - 2000
    reward = toys.standard(reward) if mended else reward
    value = nn.Sequential(
        nn.Linear(5, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
    )
    optimizer = torch.optim.Adam(value.parameters(), lr=0.001)
    fit(
        watch,
        value,
        optimizer,
        batches(state, reward, steps=250, size=64),
        of_output(F.smooth_l1_loss),
    )


@asked("not_finite", also=("loss_not_finite",), follows=("loss_not_finite",))
def the_logarithm_of_counts_that_may_be_zero(mended, watch):
    counts = torch.poisson(torch.rand(1024, 6) * 8)
    y = (counts[:, 0] > counts[:, 1]).long()
    x = torch.log1p(counts) if mended else torch.log(counts)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=120), of_output(F.cross_entropy))
