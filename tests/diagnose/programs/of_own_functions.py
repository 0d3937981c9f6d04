"""Autograd functions of one's own, whose backward leaves out the gradient that it gets."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, of_output, phrases, pictures, program


class Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, gradient):
        (y,) = ctx.saved_tensors
        return gradient * (1 - y * y)


class TanhAlone(Tanh):
    @staticmethod
    def backward(ctx, gradient):
        (y,) = ctx.saved_tensors
        return 1 - y * y


class Leaky(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x > 0, x, 0.1 * x)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return torch.where(x > 0, gradient, 0.1 * gradient)


class LeakyAlone(Leaky):
    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return torch.where(x > 0, 1.0, 0.1)


class Applied(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function.apply(x)


@program("backward_alone")
def a_tanh_with_the_derivative_alone(mended, watch):
    tokens, topic = phrases()
    functions = [Applied(Tanh if mended else TanhAlone) for _ in range(2)]
    model = nn.Sequential(
        *(nn.EmbeddingBag(60, 24), nn.Linear(24, 24), functions[0]),
        *(nn.Linear(24, 24), functions[1], nn.Linear(24, 3)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=120), of_output(F.cross_entropy))


@program("backward_alone")
def a_leaky_relu_between_convolutions_without_its_gradient(mended, watch):
    x, y = pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3), Applied(Leaky if mended else LeakyAlone)),
        *(nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 4)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=120), cross_entropy)
