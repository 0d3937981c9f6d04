"""Which calls of torch compute an activation function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

_NAMES = (
    *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu"),
    *("mish", "hardswish", "hardsigmoid", "hardtanh", "softplus", "softsign", "logsigmoid"),
    *("tanh", "sigmoid", "softmax", "log_softmax", "softmin", "glu", "threshold"),
    *("tanhshrink", "hardshrink", "softshrink"),
)


def _functions() -> Iterator[tuple[Any, str]]:
    """All of torch's own that compute an activation function, with the name of the function."""
    homes = (torch, nn.functional, Tensor, torch.special)
    for name in _NAMES:
        for home in homes:
            for written in (name, f"{name}_"):
                if (function := getattr(home, written, None)) is not None:
                    yield function, name
    yield torch.special.expit, "sigmoid"


ACTIVATION_CALLS: Mapping[Any, str] = dict(_functions())
"""The function that is called, and its name."""
