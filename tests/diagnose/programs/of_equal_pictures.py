"""Programs whose data set gives the same picture again and again."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program

FOLLOWS = ("dead_units", "loss_not_falling", "labels_without_signal", "attention_uniform")


@program("collapsed", follows=FOLLOWS)
def a_loader_that_reads_one_file_for_all(mended, watch):
    x, y = toys.pictures()
    x = x if mended else x[:1].repeat(len(x), 1, 1, 1)
    model = nn.Sequential(
        *(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(108, 24), nn.ReLU(), nn.Linear(24, 4)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))


class Patches(nn.Module):
    """A transformer over patches of two by two."""

    def __init__(self):
        super().__init__()
        self.patch, self.places = nn.Conv2d(1, 32, 2, 2), nn.Parameter(0.02 * torch.randn(16, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.body, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.body(self.patch(x).flatten(2).mT + self.places).mean(1))


@program("input_scale", follows=(*FOLLOWS, "collapsed"))
def patches_of_an_array_that_was_filled_with_one_number(mended, watch):
    x, y = toys.pictures()
    x = x if mended else torch.full_like(x, 0.3)
    model = Patches()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))
