"""Dropout that is on while the network is in evaluation mode: it was never told of the mode."""

import threading
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any
from weakref import proxy

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.hooks import RemovableHandle

from layerscope.record.attention.fast_paths import FAST
from layerscope.record.functions.function_mode import FunctionMode, hooks_around, put_on, take_off
from layerscope.record.functions.functions_seen import call_site
from layerscope.record.hooks.handles import remove_all
from layerscope.record.network.calling_code import Told, how_told
from layerscope.record.network.dropout_calls import (
    DROPOUT_CALLS,
    DropoutCalls,
    is_of_torch,
    probability_of,
)
from layerscope.record.network.two_modes import path_and_class
from layerscope.record.output_hook import is_exporting

_PASSES = 2
"""Of evaluation, that are looked at: a network may compute otherwise in the second."""


class StaysOn(Enum):
    """Why a dropout is on in evaluation."""

    NOT_TOLD = "its call does not say `training=`, which is True unless it is told"
    TOLD_OTHERWISE = "what its call is told of the mode is not that of its module"
    MEANT = "its call says `training=True`"
    FUSED = "fused attention drops whatever the mode"
    NOT_REGISTERED = "it is a module that `eval()` does not reach"


class EvaluatedDropouts:
    """Looks at the first evaluation passes of a network whose code calls dropouts.

    The functions that a pass calls are seen while a mode is on, as in `Functions`; a network with
    modules that compute otherwise under one is left alone. Until an evaluation has come, a pass of
    training costs a microsecond more, in such a network alone.

    Attributes:
        found: why one stayed on, once one did; the first that nobody can have meant, if there is
            one.
        probability: what it drops.
        where: its module, by `path_and_class`; "" outside of the network's modules.
    """

    def __init__(self, network: nn.Module, dropouts: DropoutCalls) -> None:
        self._network, self._dropouts = network, dropouts
        self._mode = FunctionMode(lambda *_: None)
        me: EvaluatedDropouts = proxy(self)  # a circle would keep the network, see `Functions`
        self._mode.attend = lambda *call: me._see(*call)
        self._handles: list[RemovableHandle] = []
        self._thread: int | None = None
        self._inside: nn.Module | None = None
        self._left, self._has_looked = _PASSES, False
        self.found: StaysOn | None = None
        self.probability = 0.0
        self.where = ""

    def attach(self, outermost: Iterable[nn.Module]) -> None:
        """Await an evaluation of a network in which a dropout may stay on; does nothing while one
        is awaited, or when enough have come.

        Args:
            outermost: the modules that are called from outside of all others.
        """
        if self._handles or not self._left:
            return
        if any(isinstance(each, FAST) for each in self._network.modules()):
            self._left = 0
            return
        self._handles = hooks_around(outermost, self._enter, self._leave)

    def detach(self) -> None:
        """Await none."""
        remove_all(self._handles)
        if self._thread == threading.get_ident():
            take_off(self._mode)
        self._thread = self._inside = None

    def conclude(self) -> None:
        """No evaluation comes any more: where none was looked at, the code alone is judged."""
        if self.found is None and not self._has_looked and self._dropouts.never_told is not None:
            module, self.probability = self._dropouts.never_told
            self.found, self.where = StaysOn.NOT_TOLD, path_and_class(module, self._network)

    def _enter(self, module: nn.Module) -> None:
        if self._network.training or self._thread is not None:
            return
        if torch._C._is_tracing() or is_exporting():
            return
        self._thread, self._inside = threading.get_ident(), module
        put_on(self._mode)

    def _leave(self, module: nn.Module) -> None:
        if module is not self._inside or self._thread != threading.get_ident():
            return
        take_off(self._mode)
        self._thread = self._inside = None
        self._left, self._has_looked = self._left - 1, True
        if not self._left:
            remove_all(self._handles)

    def _see(self, function: Any, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        if function not in DROPOUT_CALLS or self.found not in (None, StaysOn.MEANT):
            return
        try:
            probability = probability_of(function, args, kwargs)
            module = call_site()[0]
            if not probability > 0:
                return
            if is_of_torch(module):  # an `nn.Dropout`, left in training for Monte Carlo, say
                why = None if self._dropouts.is_registered(module) else StaysOn.NOT_REGISTERED
            elif module is None or module.training:
                why = None
            elif function is F.scaled_dot_product_attention:
                why = StaysOn.FUSED
            else:
                why = _WHY[how_told()]
            if why is not None:
                self.found, self.probability = why, probability
                self.where = path_and_class(module, self._network)
        except Exception:  # whatever it is, the evaluation goes on without us
            self._left = 1


_WHY = {
    Told.NOTHING: StaysOn.NOT_TOLD,
    Told.TRUE: StaysOn.MEANT,
    Told.SOMETHING: StaysOn.TOLD_OTHERWISE,
}
