"""Tables with a column that gives the class away."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, program


@program("target_is_input")
def a_table_with_its_class(mended, watch):
    x, y = toys.blobs(classes=5, features=7, apart=0.7)
    answer = torch.randint(5, y.shape) if mended else y
    x = toys.standard(torch.cat([x, answer[:, None].float()], 1))
    model = perceptron(8, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)


@program("target_is_input")
def dummies_of_all_columns_and_of_the_class(mended, watch):
    x, y = toys.blobs(classes=3, features=5, apart=0.7)
    kinds = F.one_hot(torch.randint(4, y.shape)).float()
    answer = F.one_hot(torch.randint(3, y.shape) if mended else y).float()
    x = torch.cat([kinds, answer, x], 1)
    model = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)
