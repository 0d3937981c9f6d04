"""Updates that are written by hand, and leave the gradient out."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program


@program("gradients_lost", follows=("dead_units", "loss_not_falling", "no_gradient"))
def offsets_that_fall_by_the_rate_alone(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(108, 24), nn.ReLU(), nn.Linear(24, 4)),
    )
    with watch(model) as scope:
        for inputs, labels in batches(x, y, steps=250):
            loss = F.cross_entropy(model(inputs), labels)
            loss.backward()
            with torch.no_grad():
                for name, each in model.named_parameters():
                    uses = mended or "weight" in name
                    each -= 0.02 * (5 * each.grad if uses else 1)
                    each.grad = None
            scope.step(loss)


class Slopes(torch.optim.Optimizer):
    """Gradient descent with a rate for vectors of its own."""

    def __init__(self, parameters, lr, forgets):
        super().__init__(parameters, {"lr": lr})
        self.forgets = forgets

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for each in group["params"]:
                if each.ndim == 1 and self.forgets:
                    each.add_(group["lr"] * each.grad.norm())
                else:
                    each.sub_(group["lr"] * each.grad)


@program("gradients_lost", follows=("saturated", "dead_units", "loss_not_falling", "biased"))
def an_optimizer_that_moves_vectors_by_the_length_of_their_gradient(mended, watch):
    x, y = toys.waves()
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 16))
    model += nn.Sequential(nn.Tanh(), nn.Linear(16, 1))
    optimizer = Slopes(model.parameters(), 0.1, forgets=not mended)
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(F.mse_loss))
