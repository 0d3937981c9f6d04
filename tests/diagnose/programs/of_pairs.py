"""Losses of pairs of which labels and loss mean opposite things."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program

NAMES = "that 1 means alike to the labels and not to the loss is in their names alone"


class Apart(nn.Module):
    """The distance of two samples behind one body."""

    def __init__(self, features, width):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, width))

    def forward(self, pair):
        return F.pairwise_distance(self.body(pair[:, 0]), self.body(pair[:, 1]))


def pairs(classes, features, count=1024):
    """Pairs [count, 2, features], half of them of one class, and which are."""
    x, y = toys.blobs(classes=classes, features=features, count=count, apart=2)
    same = torch.rand(count) < 0.5
    others = torch.stack([y[torch.randperm(count)] for _ in range(1)])[0]
    wanted = torch.where(same, y, (y + 1 + others % (classes - 1)) % classes)
    of = [torch.nonzero(y == each)[:, 0] for each in range(classes)]
    found = torch.stack([of[k][torch.randint(len(of[k]), ())] for k in wanted.tolist()])
    return torch.stack([x, x[found]], 1), same.float()


@program("labels_without_signal", blind=NAMES)
def a_margin_of_two_and_labels_of_the_other_paper(mended, watch):
    x, same = pairs(5, 12)
    model = Apart(12, 8)

    def contrastive(m, x, differ):
        d = m(x)
        return ((1 - differ) * d.square() + differ * (2 - d).clamp(min=0).square()).mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x, 1 - same if mended else same, steps=350, size=64)
    fit(watch, model, optimizer, data, contrastive)


@program("labels_without_signal", blind=NAMES)
def signatures_that_are_pushed_together_where_they_differ(mended, watch):
    x, same = pairs(8, 20)
    model = Apart(20, 4)

    def contrastive(m, x, label):
        d = m(x)
        near, far = 0.5 * d.pow(2), 0.5 * torch.relu(1.5 - d).pow(2)
        return torch.where(label == (1 if mended else 0), near, far).mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, same, steps=350), contrastive)
