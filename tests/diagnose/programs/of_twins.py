"""Programs in whose batches the same inputs come again with other labels."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Convolutional, cross_entropy
from tests.diagnose.programs.program import batches, fit, of_output, practice, program


@program("inputs_repeat", follows=("loss_not_falling", "labels_without_signal"))
def rotations_to_be_told_apart_that_nobody_kept(mended, watch):
    """Gidaris et al. 2018: a network says by how far each picture was turned."""
    x, _ = toys.pictures()
    x = x + torch.linspace(0, 2, x.shape[-1])  # what is up is seen
    model = Convolutional()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def turned():
        for (some,) in batches(x, steps=150, size=16):
            copies = [some.clone() for _ in range(4)]
            for quarters, copy in enumerate(copies):
                rotated = torch.rot90(copy, quarters, (2, 3))
                if mended:
                    copies[quarters] = rotated
            yield torch.cat(copies), torch.arange(4).repeat_interleave(len(some))

    fit(watch, model, optimizer, turned(), cross_entropy)


@program("inputs_repeat", follows=("labels_without_signal", "loss_not_falling"))
def a_table_joined_by_the_day_and_not_by_the_hour(mended, watch):
    """Each row of the inputs meets the targets of all hours of its day."""
    x, weights = torch.randn(1024, 20), torch.randn(20, 1)
    y = x @ weights / weights.norm() + 0.1 * torch.randn(1024, 1)
    hours = 4

    def joined():
        for (days,) in batches(torch.arange(256), steps=150, size=3):
            days = days.unique()
            rows = (days[:, None] * hours + torch.arange(hours)).flatten()
            if mended:
                yield x[rows], y[rows]
                continue
            left = rows.repeat_interleave(hours)
            right = left // hours * hours + torch.arange(hours).repeat(len(rows))
            yield x[left], y[right]

    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, joined(), of_output(F.mse_loss))


@practice
def a_few_items_that_are_rated_by_many(watch):
    """The same items come in each batch, and each rater says what he likes."""
    items, liked = torch.randn(24, 20), torch.rand(24)

    def rated():
        for (chosen,) in batches(torch.arange(24), steps=150, size=64):
            yield items[chosen], (torch.rand(64) < liked[chosen]).long()

    model = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 2))
    fit(watch, model, torch.optim.Adam(model.parameters(), lr=2e-3), rated(), cross_entropy)


class Asked(nn.Module):
    """Says of a sample what it is asked: its class, or the next one."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(20, 32), nn.ReLU())
        self.head = nn.Linear(34, 4)

    def forward(self, x, asked):
        return self.head(torch.cat([self.body(x), F.one_hot(asked, 2)], 1))


@practice
def each_sample_twice_with_another_question(watch):
    x, y = toys.blobs(features=20)

    def pairs():
        for some, classes in batches(x, y, steps=150, size=16):
            asked = torch.arange(2).repeat_interleave(len(some))
            yield some.repeat(2, 1), asked, torch.cat([classes, (classes + 1) % 4])

    model = Asked()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, pairs(), lambda m, x, a, y: F.cross_entropy(m(x, a), y))
