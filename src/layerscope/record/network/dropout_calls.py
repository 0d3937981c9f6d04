"""Dropout that code of the network calls: `F.dropout(x, p)`, or that of a fused attention."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.record.network.calling_code import is_never_told

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
        any_of_code: whether there ever was a call that no `eval()` of the network's modules turns
            off by itself: of its code, or of a dropout that is none of its modules.
        never_told: the module whose forward calls one without a word of the mode, and the share
            that it drops; None without any.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._registered: set[int] = set()
        self.largest = 0.0
        self.caller: nn.Module | None = None
        self.any_of_code = False
        self.never_told: tuple[nn.Module | None, float] | None = None

    def begin(self) -> None:
        """A step begins in which functions are searched for."""
        self.largest, self.caller = 0.0, None

    def see(
        self, module: nn.Module | None, function: Any, args: Any, kwargs: Mapping[str, Any]
    ) -> None:
        """One of them was called in a module's forward, of which functions are searched for."""
        if is_of_torch(module):
            self.any_of_code = self.any_of_code or not self.is_registered(module)
        if isinstance(module, nn.modules.dropout._DropoutNd):
            return
        probability = probability_of(function, args, kwargs)
        if probability > 0:
            self.any_of_code = True
            if self.never_told is None and function is not _FUSED and is_never_told():
                self.never_told = module, probability
        if probability > self.largest:
            self.largest, self.caller = probability, module

    def is_registered(self, module: nn.Module | None) -> bool:
        """Whether it is one of the network's modules, which `eval()` reaches."""
        if id(module) not in self._registered:  # or came into the network since
            self._registered = {id(each) for each in self._network.modules()}
        return id(module) in self._registered


def is_of_torch(module: nn.Module | None) -> bool:
    """Whether a module is a dropout of torch's, and drops as torch has it."""
    if not isinstance(module, nn.modules.dropout._DropoutNd):
        return False
    return bool(type(module).forward.__module__ == nn.modules.dropout.__name__)


def probability_of(function: Any, args: Any, kwargs: Mapping[str, Any]) -> float:
    """The share that a call drops; 0 if it is off."""
    if function is _FUSED:
        return float(kwargs.get("dropout_p", args[4] if len(args) > 4 else 0.0))
    is_on = kwargs.get("training", kwargs.get("train", args[2] if len(args) > 2 else True))
    return float(kwargs.get("p", args[1] if len(args) > 1 else 0.5)) if is_on else 0.0
