"""What goes into a network and what comes out: its data, its output, and the loss's gradient on it.

The modules that the training loop calls are found in the first step: none of the network's others
is running then. Their output is what the loss is made of. The data are what the first layers get
that has no gradient: whatever a network does to a batch before its first layer is done by then.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from layerscope.record.ends.ends import Ends
from layerscope.record.ends.first_step import FirstStep
from layerscope.record.ends.network_data import NetworkData
from layerscope.record.ends.output_end import OutputEnd
from layerscope.record.ends.token_inputs import PaddedEnds, TokenInputs
from layerscope.record.hook_state import HookState
from layerscope.record.hooks.handles import remove_all
from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.network.compiled import is_compiled, outside_of_compiled
from layerscope.record.network.layers import Layer


class RunningCalls:
    """Is told when a module is called and when it returns, by hooks that are always called."""

    def __init__(self) -> None:
        self._modules: list[nn.Module] = []

    def begin(self, module: nn.Module) -> bool:
        """Whether no other call is going on."""
        self._forget_hookless()
        self._modules.append(module)
        return len(self._modules) == 1

    def end(self) -> bool:
        """Whether no other call is going on any more."""
        self._forget_hookless()
        del self._modules[-1:]
        return not self._modules

    def clear(self) -> None:
        """Forget all of them."""
        self._modules.clear()

    def _forget_hookless(self) -> None:
        """A module whose hooks were taken off since (see `StandAside`) never returns."""
        while self._modules and not self._modules[-1]._forward_hooks:
            self._modules.pop()


class NetworkEnds:
    """Looks at a network's data and output in some of its steps; it keeps samples, not tensors.

    Args:
        state: of the hooks, which is told of the data.
    """

    def __init__(
        self, network: nn.Module, layers: Sequence[Layer], state: HookState, ask: Callable[[], bool]
    ) -> None:
        self._network = network
        self._layers = tuple(layer for layer in layers if layer.has_output)
        self._state = state
        self._ask = ask
        self._tokens = TokenInputs(ask)
        self._padded = PaddedEnds(self._tokens.of_shape)
        self.first, self.output = FirstStep(), OutputEnd(state, ask)
        self._handles: list[RemovableHandle] = []
        self._of_looks: list[RemovableHandle] = []  # on in steps that are looked at alone
        self._is_on = self._looks = False
        self._outside: list[nn.Module] = []
        self._discovering = True
        self._calls = RunningCalls()
        self._outermost: dict[nn.Module, None] = {}
        self.data = NetworkData(state, ask)

    def replace(self, layers: Sequence[Layer]) -> None:
        """The network has changed: look for its ends and for how its layers hang together anew."""
        is_on = self._is_on
        self.detach()
        self._layers = tuple(layer for layer in layers if layer.has_output)
        self._discovering = True
        self._outermost.clear()
        self.data.first.clear()
        self.first.forget()
        if is_on:
            self.attach()

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on. None is put where it would be compiled in:
        of compiled code what goes in and what comes out is seen, and no layer.
        """
        if self._is_on:
            return
        self._is_on = True
        in_parts = is_compiled(self._network)
        if in_parts:
            self._outside = outside_of_compiled(self._network)
        else:
            # Once something is compiled, all but the outermost module's would be compiled too.
            is_alone = self._state.is_compiled
            self._outside = [self._network] if is_alone else list(self._network.modules())
        of_layers = self._outside if in_parts or not self._state.is_compiled else []
        seen = set(of_layers)
        if not self._discovering:
            for layer in self.data.first:
                self._handles += self.data.hook(layer) if layer.entry in seen else []
            self.look(self._looks)
            return
        self._handles += self._tokens.attach(of_layers)
        for module in self._outside:
            if not isinstance(module, torch.jit.ScriptModule):
                self._handles += [
                    module.register_forward_pre_hook(QuietHook(self._enter), with_kwargs=True),
                    module.register_forward_hook(QuietHook(self._leave), always_call=True),
                ]
        for layer in self._layers:
            self._handles += self.data.hook(layer) if layer.entry in seen else []
            is_scripted = isinstance(layer.module, torch.jit.ScriptModule)
            if not (in_parts or self._state.is_compiled or is_scripted):
                reach = functools.partial(self._reach, layer)
                self._handles.append(layer.module.register_forward_hook(QuietHook(reach)))

    def look(self, looks: bool) -> None:
        """From now on steps are looked at, or not: then hooks that would see nothing are off. Once
        something is compiled they stay on: it would be compiled anew whenever they come and go.
        """
        self._looks = looks
        wanted = looks or self._state.is_compiled
        if not self._is_on or self._discovering or wanted == bool(self._of_looks):
            return
        if not wanted:
            remove_all(self._of_looks)
            return
        hook, called = QuietHook(self._see_output), self._outermost.keys() & set(self._outside)
        self._of_looks += [module.register_forward_hook(hook) for module in called]
        if not self._state.is_compiled:
            self._of_looks += self._tokens.attach(self._outside)

    def detach(self) -> None:
        """Take the hooks off."""
        self._is_on = False
        remove_all(self._handles)
        remove_all(self._of_looks)
        self._calls.clear()

    # Hooks.

    def _enter(self, module: nn.Module, inputs: Any, named: Any) -> None:
        if self._calls.begin(module) and self._ask():
            self.first.begin((inputs, named))

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        is_outermost = self._calls.end()
        if not self._ask():
            return
        for each in (self.output.sequence_axis, self.output.states, self._padded, self.first):
            each.note(module, inputs, output)
        if is_outermost:
            self._outermost[module] = None
            self.first.note_returned(output)
            self._see_output(module, inputs, output)

    def _reach(self, layer: Layer, module: nn.Module, inputs: Any, output: Any) -> None:
        self.reach(layer, output, inputs)

    def reach(self, layer: Layer, output: Any, inputs: Any = ()) -> None:
        """Note a layer's output in the first step."""
        if self._discovering and self._ask():
            self.first.reach(layer, output, inputs)

    def _see_output(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if self._ask():
            self.output.see(module, inputs, output)

    def take(self) -> Ends:
        """What was seen since the last call; the first call ends the search for both ends."""
        self._end_discovery()
        first, (fields, figures) = self.first, self.output.take()
        of_loss = self.output.loss_graph.backward.in_loss
        figures |= {
            "last_padding": self._padded.share,
            "along_batch": self.output.sequence_axis.of_batch or 3 * first.places.differ,
            "views_mixed": _mixed_by_view(first),
            "order_read": first.order.is_any,
            "backward_alone": len(first.backward.without_gradient | of_loss),
        }
        return Ends(
            data=self.data.take(),
            evaluated=self.data.take_evaluated(),
            given_is_kept=self._tokens.are_kept,  # asked before it is forgotten
            given=self._tokens.take(),
            numbers=self._tokens.take_numbers(),
            softmax_within=first.softmax.over_samples,
            figures={name: it for name, it in figures.items() if it is not None},
            **fields,
        )

    def _end_discovery(self) -> None:
        """Look at the first step's graph, before that is told of: a resumed run has its own."""
        if not (self._discovering and (self._outermost or self.first.has_reached)):
            return
        self.first.end(self._network, {layer.name for layer in self.data.first})
        self._discovering = False
        if self._is_on:
            self.detach()
            self.attach()


def _mixed_by_view(first: FirstStep) -> int:
    if first.views.are_any:
        return 1
    return 2 if first.views.of_channels else 3 * first.view_to_sequence.is_any
