"""Dropout that code of the network calls: `F.dropout(x, p)`, or that of a fused attention."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

_FUSED = F.scaled_dot_product_attention
_NAMES = ("dropout", "alpha_dropout", "dropout1d", "dropout2d", "dropout3d")

DROPOUT_CALLS = frozenset(
    {*(getattr(F, name) for name in _NAMES), torch.dropout, torch.dropout_, _FUSED}
)
"""The calls of torch that drop something, if they are told to."""


class DropoutCalls:
    """Knows the largest probability that such a call was given in training.

    Attributes:
        largest: in the last step in which functions were searched for; 0 without any. Modules that
            call themselves dropouts are left out: `TwoModes` knows them.
        caller: the module whose forward gave it; None without any, or outside of all modules.
    """

    def __init__(self) -> None:
        self.largest = 0.0
        self.caller: nn.Module | None = None

    def begin(self) -> None:
        """A step begins in which functions are searched for."""
        self.largest, self.caller = 0.0, None

    def see(
        self, module: nn.Module | None, function: Any, args: Any, kwargs: Mapping[str, Any]
    ) -> None:
        """One of them was called in a module's forward, of which functions are searched for."""
        if isinstance(module, nn.modules.dropout._DropoutNd):
            return
        probability = _probability(function, args, kwargs)
        if probability > self.largest:
            self.largest, self.caller = probability, module


def _probability(function: Any, args: Any, kwargs: Mapping[str, Any]) -> float:
    if function is _FUSED:
        return float(kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0))
    is_on = kwargs.get("training", kwargs.get("train", args[2] if len(args) > 2 else True))
    return float(kwargs.get("p", args[1] if len(args) > 1 else 0.5)) if is_on else 0.0
