"""Autograd functions of one's own, whose backward leaves out the gradient that it gets."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, of_output, program


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
    tokens, topic = toys.phrases()
    functions = [Applied(Tanh if mended else TanhAlone) for _ in range(2)]
    model = nn.Sequential(
        *(nn.EmbeddingBag(60, 24), nn.Linear(24, 24), functions[0]),
        *(nn.Linear(24, 24), functions[1], nn.Linear(24, 3)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=120), of_output(F.cross_entropy))


@program("backward_alone")
def a_leaky_relu_between_convolutions_without_its_gradient(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3), Applied(Leaky if mended else LeakyAlone)),
        *(nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 4)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=120), cross_entropy)


class Activity(torch.autograd.Function):
    """A penalty: the sum of what units give."""

    @staticmethod
    def forward(ctx, h):
        ctx.save_for_backward(h)
        return h.abs().sum()

    @staticmethod
    def backward(ctx, gradient):
        (h,) = ctx.saved_tensors
        return gradient * h.sign()


class ActivityAlone(Activity):
    @staticmethod
    def backward(ctx, gradient):
        (h,) = ctx.saved_tensors
        return h.sign()


@program("backward_alone")
def a_penalty_whose_weight_does_not_reach_the_gradient(mended, watch):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Sequential(nn.Linear(10, 32), nn.Tanh()), nn.Linear(32, 4)

        def forward(self, x):
            h = self.body(x)
            return self.head(h), h

    def loss_of(model, x, y):
        scores, h = model(x)
        return F.cross_entropy(scores, y) + 1e-5 * (Activity if mended else ActivityAlone).apply(h)

    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(*toys.blobs(), steps=120), loss_of)


class Roughness(torch.autograd.Function):
    """The mean square of what neighbours differ by."""

    @staticmethod
    def forward(ctx, y):
        ctx.save_for_backward(y)
        return (y[:, 1:] - y[:, :-1]).square().mean()

    @staticmethod
    def backward(ctx, *gradients):
        return gradients[0] * Roughness.slope(*ctx.saved_tensors)

    @staticmethod
    def slope(y):
        off = 2 * (y[:, 1:] - y[:, :-1]) / (y.shape[0] * (y.shape[1] - 1))
        return F.pad(off, (1, 0)) - F.pad(off, (0, 1))


class RoughnessAlone(Roughness):
    @staticmethod
    def backward(ctx, *gradients):
        return Roughness.slope(*ctx.saved_tensors)


@program("backward_alone")
def curves_that_are_smoothed_by_a_hundred_times_too_much(mended, watch):
    x = torch.randn(512, 4)
    curves = torch.sin(x @ torch.randn(4, 4) @ torch.randn(4, 16))
    model = nn.Sequential(nn.Linear(4, 64), nn.GELU(), nn.Linear(64, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss_of(model, x, y):
        y_hat = model(x)
        rough = (Roughness if mended else RoughnessAlone).apply(y_hat)
        return F.mse_loss(y_hat, y) + rough / 100

    fit(watch, model, optimizer, batches(x, curves, steps=120), loss_of)
