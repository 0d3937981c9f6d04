"""Programs whose data come in an order, and whose batches are no random ones."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy, perceptron
from tests.diagnose.programs.program import fit, of_output, program


@program("not_shuffled")
def a_folder_per_class_and_no_shuffle(mended, watch):
    x, y = toys.blobs(classes=4, count=1600)
    order = y.argsort()
    loader = DataLoader(TensorDataset(x[order], y[order]), batch_size=32, shuffle=mended)
    model = perceptron(10, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    epochs = (batch for _ in range(4) for batch in loader)
    fit(watch, model, optimizer, epochs, cross_entropy)


@program("not_shuffled")
def two_files_one_after_the_other(mended, watch):
    """Those of one opinion, then those of the other, as they were read."""
    tokens, y = toys.phrases(classes=2)
    order = torch.randperm(len(y)) if mended else y.argsort()
    model = nn.Sequential(nn.EmbeddingBag(60, 16), nn.ReLU(), nn.Linear(16, 1), nn.Flatten(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    parts = [part for _ in range(8) for part in order.split(64)]
    data = ((tokens[part], y[part].float()) for part in parts)
    fit(watch, model, optimizer, data, of_output(F.binary_cross_entropy_with_logits))
