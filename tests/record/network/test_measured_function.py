import math
import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.record import choose_layers
from layerscope.record.network.nonlinearities import nonlinearity_of

CALLS = []


def swish(x, inplace=False):
    return x.mul_(x.sigmoid()) if inplace else x.mul(x.sigmoid())


class Swish(nn.Module):
    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, x):
        return swish(x, self.inplace)


class Own(nn.Module):
    """A module that computes what it is given."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class NewGELU(nn.Module):
    def forward(self, x):
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0))
        return 0.5 * x * (1.0 + torch.tanh(inner))


class MemoryEfficient(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x * torch.sigmoid(x)


class TellingFunction(MemoryEfficient):
    @staticmethod
    def forward(context, x):
        CALLS.append(x)
        return x * torch.sigmoid(x)


class Counting(nn.Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return torch.relu(x)


class Telling(nn.Module):
    def forward(self, x):
        CALLS.append(x)
        return torch.relu(x)


class Gathering(nn.Module):
    def forward(self, x):
        torch.distributed.all_reduce(x)
        return torch.relu(x)


class Noisy(nn.Module):
    def forward(self, x):
        return torch.relu(x) + torch.randn_like(x) + random.random()


class Halves(nn.Module):
    def forward(self, x):
        first, second = x.chunk(2, -1)
        return first * torch.sigmoid(second)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (Swish(), "silu"),
        (Swish(inplace=True), "silu"),
        (NewGELU(), "gelu"),
        (Own(F.gelu), "gelu"),
        (Own(torch.tanh), "tanh"),
        (Own(torch.nn.functional.relu), "relu"),
        (Own(MemoryEfficient.apply), "silu"),
        (Own(TellingFunction.apply), None),
        (Own(lambda x: torch.relu(x) ** 2), "own"),
        (Own(lambda x: 3 * x - 1), None),
        (Own(lambda x: x), None),
        (Own(lambda x: x / x.std()), None),
        (Own(lambda x: torch.softmax(x, -1)), None),
        (Counting(), None),
        (Telling(), None),
        (Gathering(), None),
        (Noisy(), None),
        (Halves(), None),
    ],
)
def test_a_module_of_any_class_is_the_function_that_it_computes(module, name):
    found = nonlinearity_of(module)
    assert (found.name if found else None) == name


def test_what_torch_has_no_class_for_is_measured():
    squared = nonlinearity_of(Own(lambda x: torch.relu(x) ** 2))
    assert squared.shut_at_zero
    assert squared.active_within(0.97) == (0.0, math.inf)
    lecun = nonlinearity_of(Own(lambda x: 1.7159 * torch.tanh(2 / 3 * x)))
    assert lecun.odd
    assert lecun.bounds == pytest.approx((-1.7159, 1.7159))
    clipped = nonlinearity_of(Own(lambda x: x.clamp(0, 20)))
    assert clipped.bounds == (0.0, 20.0)
    assert clipped.saturated_beyond(0.97) == (-math.inf, pytest.approx(19.7))
    sine = nonlinearity_of(Own(torch.sin))
    assert (sine.odd, sine.bounds) == (True, None)  # what is beyond a threshold is not stuck there


def test_trying_a_module_changes_nothing():
    torch.manual_seed(3)
    random.seed(3)
    CALLS.clear()
    before = torch.get_rng_state(), random.getstate()
    counting = Counting()
    for module in (counting, Telling(), Noisy(), Own(lambda x: torch.relu(x + torch.randn(())))):
        nonlinearity_of(module)
    assert (counting.calls, CALLS) == (0, [])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_a_function_of_a_library_and_the_linear_module_before_it_are_one_layer():
    layers = choose_layers(nn.Sequential(nn.Linear(2, 2), Swish(), nn.Linear(2, 2), NewGELU()))
    assert [layer.name for layer in layers] == ["00_swish", "01_newgelu"]
    assert [layer.nonlinearity.name for layer in layers] == ["silu", "gelu"]


def test_the_functions_of_transformers_are_recognised():
    activations = pytest.importorskip(
        "transformers.activations", reason="make frameworks-test installs it"
    )
    expected = {
        "gelu_new": "gelu",
        "gelu": "gelu",
        "gelu_python": "gelu",
        "gelu_pytorch_tanh": "gelu",
        "gelu_fast": "gelu",
        "quick_gelu": "gelu",
        "silu": "silu",
        "swish": "silu",
        "mish": "mish",
        "relu2": "relusquaredactivation",
        "linear": None,
    }
    for key, name in expected.items():
        found = nonlinearity_of(activations.ACT2FN[key])
        assert (found.name if found else None) == name, key
