"""Which calls of torch compute an activation function."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

_NAMES = (
    *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu"),
    *("mish", "hardswish", "hardsigmoid", "hardtanh", "softplus", "softsign", "logsigmoid"),
    *("tanh", "sigmoid", "softmax", "log_softmax", "softmin", "glu", "threshold"),
    *("tanhshrink", "hardshrink", "softshrink"),
)


def calls_named(names: Iterable[str]) -> Iterator[tuple[Any, str]]:
    """All of torch's own functions of these names, in place or not, each with its name."""
    for name in names:
        for home in (torch, nn.functional, Tensor, torch.special):
            for written in (name, f"{name}_"):
                if (function := getattr(home, written, None)) is not None:
                    yield function, name


ACTIVATION_CALLS: Mapping[Any, str] = {**dict(calls_named(_NAMES)), torch.special.expit: "sigmoid"}
"""The function that is called, and its name."""
