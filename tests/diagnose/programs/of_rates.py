"""Rates far below those that an optimizer has by itself."""

import torch
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.of_data import cross_entropy, perceptron
from tests.diagnose.programs.program import batches, blobs, fit, of_output, program, surface


@program("loss_not_falling", follows=("update_too_small",))
def adadelta_at_the_rate_of_another(mended, watch):
    x, y = blobs(classes=5)
    model = perceptron(10, 5)
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0 if mended else 2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=250), cross_entropy)


@program("loss_not_falling", follows=("update_too_small",))
def adagrad_at_a_hundredth_of_its_own_rate(mended, watch):
    x, y = surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.Adagrad(model.parameters(), lr=2e-2 if mended else 1e-4)
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(F.mse_loss))
