"""What the mode sees: activation functions and attention that code of the network calls."""

import logging
import sys
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from layerscope.record.attention.attention import ATTENTION, ATTENTION_CALLS, Attention
from layerscope.record.distributed.shards import is_sharded
from layerscope.record.functions.function_layers import FunctionLayers
from layerscope.record.functions.function_mode import CUTS
from layerscope.record.graph_nodes import backward_pass
from layerscope.record.hook_state import HookState
from layerscope.record.network.calling_code import MODULE_CALLS
from layerscope.record.network.dropout_calls import DROPOUT_CALLS, DropoutCalls
from layerscope.record.network.layers import Layer
from layerscope.record.network.nonlinearities import nonlinearity_of
from layerscope.record.output_hook import OutputHook
from layerscope.record.place import Place
from layerscope.record.routers import EXPERTS, ROUTER_CALLS, Routers

_log = logging.getLogger("layerscope")

_PLACES = ATTENTION_CALLS | ROUTER_CALLS
_COMPILED = "torch.compile compiles a function of the network: none can be seen from then on"


class FunctionsSeen:
    """Knows each function by the module whose forward is running, the place in the code, and the
    layer before it: of a loop over layers each has its function, and what a loop over time calls
    again is one layer, as a module that is called again is.

    Args:
        state: nothing is seen while it does not count.
        attention: measures what heads look at, in steps that are to be looked at.
        routers: counts what they choose, in the same steps.
        dropouts: knows the probabilities of those that are called while functions are searched.
        reach: is told of each output of a function while functions are searched.

    Attributes:
        searching: whether functions that were not met before are taken in.
        callers: the modules whose own code calls functions that are measured.
    """

    def __init__(
        self,
        layers: FunctionLayers,
        state: HookState,
        reach: Callable[[Layer, Any], None],
        attention: Attention,
        routers: Routers,
        dropouts: DropoutCalls,
    ) -> None:
        self._layers = layers
        self.state = state
        self._reach = reach
        self.attention = attention
        self.routers = routers
        self.dropouts = dropouts
        self.searching = True
        self.callers: dict[nn.Module, None] = {}
        self._known: dict[tuple[nn.Module, str, Site, str], OutputHook | None] = {}
        self._attended: dict[tuple[nn.Module, Site, str], Place | None] = {}

    def give_up(self) -> None:
        """No function is seen from now on, since torch.compile compiles one: say so of each."""
        for hook in self._known.values():
            if hook is not None:
                self.state.not_measured[hook.layer.name] = _COMPILED
        for name in [*self.attention.places, *self.routers.places]:
            self.state.not_measured[name] = _COMPILED

    def see(self, name: str, args: Any, kwargs: Any, output: Any) -> None:
        """A function has been called; never raises."""
        try:
            module, site = call_site()
            if module is None:
                return
            state, latest = self.state, self.state.latest
            key = module, name, site, latest.name if latest else ""
            if key not in self._known:
                if not self.searching:
                    return
                self._known[key] = self._meet(module, name, args, kwargs)
            hook = self._known[key]
            if hook is not None:
                hook(module, args, kwargs, output)
                state.latest = latest  # no function: else a loop of them would have no end
                if self.searching:
                    self._reach(hook.layer, output)
        except Exception as error:  # whatever it is, the network goes on without us
            self.state.give_up(error)

    def attend(self, function: Any, args: Any, kwargs: Any, output: Any) -> None:
        """A call that may be an attention, a part of one, a router's choice, a dropout or a
        detach; never raises.

        Arguments of somebody's own kind may: such a call is not seen.
        """
        if backward_pass() != -1:  # a checkpoint computes again
            return
        state = self.state
        if state.layouts is not None and any(map(is_sharded, (*args, *kwargs.values()))):
            return  # to compute with it is to wait for other processes
        clock = state.clock
        began = clock() if clock else 0.0
        try:
            if self.searching and function in DROPOUT_CALLS:
                self.dropouts.see(call_site()[0], function, args, kwargs)
            if function in CUTS:
                self._note_cut(args[0])
            if function not in _PLACES:
                return
            kind = EXPERTS if function in ROUTER_CALLS else ATTENTION
            looks: Any = self.routers if kind == EXPERTS else self.attention
            seen = looks.measure(function, args, kwargs, output)
            if seen is not None:
                module, site = call_site()
                if module is None:
                    return
                key = module, site, state.latest.name if state.latest else ""
                if key not in self._attended:
                    is_one = kind == ATTENTION or self.routers.is_router(
                        module, len(seen), self._layers.came_before
                    )
                    self._attended[key] = self._layers.meet_place(module, kind) if is_one else None
                place = self._attended[key]
                if place is not None:
                    looks.note(place, seen)
        except Exception:
            _log.debug("LayerScope: a call of %s was not seen", function, exc_info=True)
        if clock:
            state.spent += clock() - began

    def _note_cut(self, tensor: Any) -> None:
        """A parameter's values go on without its graph; under no_grad that changes nothing."""
        if isinstance(tensor, nn.Parameter) and tensor.requires_grad and torch.is_grad_enabled():
            self.state.cut_off.add(id(tensor))

    def _meet(self, module: nn.Module, name: str, args: Any, kwargs: Any) -> OutputHook | None:
        if nonlinearity_of(module) is not None:  # is a layer itself, or was not to be watched
            return None
        if name != "softmax" and self.attention.has_scores(args):  # a cap on logits, say
            return None
        hook = self._layers.meet(module, name, args, kwargs)
        if hook is not None:
            self.callers[module] = None
        return hook


Site = tuple[int, ...]
"""Where each function on the way from a module's call to the call in question stands in its code:
the same for a loop's every pass, another for each line."""


def call_site() -> tuple[nn.Module | None, Site]:
    """The innermost module that is being called, and the site; None outside of all modules.

    Read off Python's own stack of frames: no module needs a hook for it, and `self.forward(x)` is
    part of whoever calls it. About 2 us.
    """
    frame: types.FrameType | None = sys._getframe(3)  # of whatever has called torch's function
    places: list[int] = []
    while frame is not None:
        if frame.f_code in MODULE_CALLS:
            return frame.f_locals["self"], tuple(places)
        places.append(frame.f_lasti)
        frame = frame.f_back
    return None, ()
