"""Faults of data sets: what they give is written into what they keep."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, Dataset, TensorDataset

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy, perceptron
from tests.diagnose.programs.program import of_output, practice, program
from tests.usual_step import descend


class Changed(Dataset):
    """Rows of two tensors, the first of them as a function makes it in place."""

    def __init__(self, x, y, change, *, copies):
        self.x, self.y, self.change, self.copies = x, y, change, copies

    def __len__(self):
        return len(self.x)

    def __getitem__(self, place):
        row = self.x[place].clone() if self.copies else self.x[place]
        self.change(row)
        return row, self.y[place]


def fit_epochs(watch, model, optimizer, loader, loss_of, epochs):
    with watch(model) as scope:
        for _ in range(epochs):
            for batch in loader:
                descend(scope, optimizer, loss_of(model, *batch))


@program("data_overwritten")
def rows_masked_where_they_are_kept(mended, watch):
    def mask(row):
        row[torch.rand(len(row)) < 0.1] = 0

    data = Changed(*toys.blobs(4, 24, 256), mask, copies=mended)
    loader = DataLoader(data, batch_size=32, shuffle=True)
    model = perceptron(24, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit_epochs(watch, model, optimizer, loader, cross_entropy, epochs=16)


@program("data_overwritten")
def pictures_brightened_where_they_are_kept(mended, watch):
    """Each time by up to a half, so that they are brighter from epoch to epoch."""

    def brighten(row):
        row *= 0.9 + 0.5 * float(torch.rand(()))

    data = Changed(*toys.blobs(4, 24, 256), brighten, copies=mended)
    loader = DataLoader(data, batch_size=32, shuffle=True)
    model = perceptron(24, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit_epochs(watch, model, optimizer, loader, cross_entropy, epochs=16)


@practice
def a_buffer_whose_rows_are_replaced_by_larger_ones(watch):
    """As of what an agent meets while it gets further."""
    x, y = toys.surface(6, 256)
    data = TensorDataset(x, y)
    loader = DataLoader(data, batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model) as scope:
        for epoch in range(16):
            chosen = torch.randperm(256)[:64]
            x[chosen], y[chosen] = (each[:64] for each in toys.surface(6, 64))
            x[chosen] *= 1 + epoch / 5
            for batch in loader:
                descend(scope, optimizer, of_output(F.mse_loss)(model, *batch))


@practice
def a_data_set_that_keeps_what_it_has_read(watch):
    """And masks more from epoch to epoch."""

    class Cached(Dataset):
        def __init__(self, x, y):
            self.source, self.y = x, y
            self.kept, self.is_read = torch.zeros_like(x), torch.zeros(len(x))
            self.share = 0.0

        def __len__(self):
            return len(self.source)

        def __getitem__(self, place):
            if not self.is_read[place]:
                self.kept[place], self.is_read[place] = self.source[place], 1
            row = self.kept[place]
            return row.masked_fill(torch.rand(len(row)) < self.share, 0), self.y[place]

    data = Cached(*toys.blobs(4, 24, 256))
    loader = DataLoader(data, batch_size=32, shuffle=True)
    model = perceptron(24, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model) as scope:
        for epoch in range(12):
            data.share = 0.03 * epoch
            for batch in loader:
                descend(scope, optimizer, cross_entropy(model, *batch))
