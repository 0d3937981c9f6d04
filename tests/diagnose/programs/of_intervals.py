"""Loops that do something else every few steps, with a batch that is wrong, or without."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program


@program("gradient_spike")
def a_lazy_gradient_penalty_and_one_batch_of_rows_that_were_not_scaled(mended, watch):
    """The penalty of every eighth step counts eight times (Karras et al. 2020, StyleGAN2, section
    3.1), and its weight grows at first.
    """
    x, y = toys.blobs(classes=2, apart=0.7)
    model = nn.Sequential(nn.Linear(10, 48), nn.Softplus(), nn.Linear(48, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def data():
        for number, (inputs, targets) in enumerate(batches(x, y, steps=150)):
            scale = 1000.0 if number == 101 and not mended else 1.0
            yield number, scale * inputs, targets.float()

    def loss_of(model, number, inputs, targets):
        inputs = inputs.requires_grad_(number % 8 == 0)
        scores = model(inputs)
        loss = F.binary_cross_entropy_with_logits(scores[:, 0], targets)
        if number % 8:
            return loss
        (slopes,) = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
        return loss + 8 * 0.4 * (min(number, 60) + 4) * slopes.square().sum(1).mean()

    fit(watch, model, optimizer, data(), loss_of)


@program("gradient_spike")
def a_term_of_every_twelfth_step_and_one_target_with_a_slipped_point(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU())
    model.append(nn.Linear(64, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def data():
        for number, (inputs, targets) in enumerate(batches(x, y, steps=160)):
            if number == 113 and not mended:
                targets[3] *= 1e5
            yield number, inputs, targets

    def loss_of(model, number, inputs, targets):
        loss = F.mse_loss(model(inputs), targets)
        if number % 12:
            return loss
        return loss + 0.1 * (number + 12) * sum(
            weights.square().sum() for weights in model.parameters()
        )

    fit(watch, model, optimizer, data(), loss_of)
