"""Data that lie class by class, and lose their last classes where validation data are split off."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, Subset, TensorDataset

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, practice, program


def sorted_by_class(x, y):
    order = y.argsort(stable=True)
    return x[order], y[order]


@program("class_not_predicted")
def herbarium_sheet_by_sheet(mended, watch):
    """Six species, 100 leaves each as they were scanned; the last fifth is for validation."""
    x, y = sorted_by_class(*toys.blobs(classes=6, features=12, count=600, apart=1.0))
    if mended:
        order = torch.randperm(600)
        x, y = x[order], y[order]
    model = perceptron(12, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x[:480], y[:480], steps=240, size=24), cross_entropy)


@program("class_not_predicted")
def folders_of_pictures_in_their_order(mended, watch):
    """ImageFolder gives one folder after the other; training gets the indices of the first 70 %."""
    x, y = sorted_by_class(*toys.pictures(classes=4, count=800))
    rows = torch.randperm(800).tolist() if mended else list(range(800))
    loader = DataLoader(Subset(TensorDataset(x, y), rows[:560]), batch_size=16, shuffle=True)
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(32, 4)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = (batch for _ in range(6) for batch in loader)
    fit(watch, model, optimizer, data, cross_entropy)


@practice
def labels_that_begin_with_one(watch):
    x, y = toys.blobs(classes=5, features=8)
    model = perceptron(8, 6)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y + 1, steps=240), cross_entropy)


@practice
def digits_with_signs_for_begin_and_padding_at_the_end(watch):
    """Reversed digits, place by place: 10 and 11 begin and fill up, and are never targets."""
    x = torch.randint(10, (2048, 6))
    model = nn.Sequential(nn.Embedding(12, 32), nn.Flatten(), perceptron(192, 72))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss_of(model, x, y):
        return F.cross_entropy(model(x).view(-1, 12), y.flatten())

    fit(watch, model, optimizer, batches(x, x.flip(1), steps=300), loss_of)
