"""What of the data comes in: places that no kernel reads, and columns scaled batch by batch."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.of_data import cross_entropy, perceptron
from tests.diagnose.programs.program import batches, blobs, fit, pictures, program, surface


@program("inputs_unread")
def kernel_and_stride_exchanged(mended, watch):
    x, y = pictures(side=12)
    x = x + 0.3 * torch.randn_like(x)
    first = nn.Conv2d(1, 12, *((4, 2) if mended else (2, 4)))
    width = first(x[:1]).numel()
    model = nn.Sequential(first, nn.ReLU(), nn.Flatten(), nn.Linear(width, 32), nn.ReLU())
    model.append(nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)


@program("inputs_unread")
def every_fifth_value_of_a_wave(mended, watch):
    y = torch.randint(2, (512,))
    time = torch.arange(60.0)
    x = torch.sin((0.3 + 0.2 * y[:, None]) * time + 6.3 * torch.rand(512, 1))[:, None]
    x = x + 0.3 * torch.randn_like(x)
    convolutions = (nn.Conv1d(1, 16, 5, 1, 2), nn.Tanh(), nn.Conv1d(16, 16, 2, 2 if mended else 5))
    model = nn.Sequential(*convolutions, nn.Tanh(), nn.Flatten(), nn.LazyLinear(2))
    model(x[:1])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)


def scaled(x, of, by_ends):
    """Columns of x from 0 to 1, or with a mean of 0 and a deviation of 1, by those of `of`."""
    if by_ends:
        return (x - of.amin(0)) / (of.amax(0) - of.amin(0))
    return (x - of.mean(0)) / of.std(0)


@program("input_scale")
def columns_from_0_to_1_in_each_batch(mended, watch):
    x, y = surface()

    def loss(model, batch, y):
        return F.mse_loss(model(scaled(batch, x if mended else batch, by_ends=True)), y)

    optimizer = torch.optim.Adam((model := perceptron(6, 1)).parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150, size=8), loss)


@program("input_scale")
def columns_of_deviation_1_in_each_batch(mended, watch):
    x, y = blobs(classes=3)

    def loss(model, batch, y):
        return F.cross_entropy(model(scaled(batch, x if mended else batch, by_ends=False)), y)

    optimizer = torch.optim.SGD((model := perceptron(10, 3)).parameters(), lr=0.1)
    fit(watch, model, optimizer, batches(x, y, steps=150, size=16), loss)
