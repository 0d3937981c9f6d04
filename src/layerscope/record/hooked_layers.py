"""Watched layers with their hooks, and the plan of what is measured of them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from weakref import proxy

import torch
from torch.utils.hooks import RemovableHandle

from layerscope.record.activation_hook import ActivationHook
from layerscope.record.hook_state import HookState
from layerscope.record.hooks.handles import remove_all
from layerscope.record.network.layer_names import first_free
from layerscope.record.network.layers import Layer
from layerscope.record.newcomers import (
    Newcomers,
    absorb,
    absorb_units,
    in_network_order,
    rows_of_units,
)
from layerscope.record.output_hook import OutputHook
from layerscope.record.parted_output import output_of
from layerscope.record.plan import plan
from layerscope.record.recorder_options import RecorderOptions

MOST_PLACES = 256
"""Places of one activation function that become layers, at most: a network may change its order."""


class HookedLayers:
    """Puts hooks on layers, and gives rows to the outputs that they find."""

    def __init__(self, layers: Sequence[Layer], options: RecorderOptions, state: HookState) -> None:
        self._layers = list(layers)
        self._options = options
        self._state = state
        self._in_parts = state.layouts is not None
        self._handles: list[RemovableHandle] = []
        self.newcomers = Newcomers(self._layers, options, state)
        self.hooks = [self._hook(layer) for layer in self._layers]
        expected = []
        for hook in self.hooks:
            if hook.layer.has_output and not options.per_call:
                expected.append(output_of(hook.layer, hook.layer.name, state))
                hook.expect(expected[-1])
        self.plan = plan(self._layers, expected, options, self._in_parts)

    def _hook(self, layer: Layer) -> OutputHook:
        meet, per_call = self.newcomers.meet, self._options.per_call
        may_be_shared = layer.nonlinearity is not None and not (layer.parameters or layer.function)
        if per_call or not may_be_shared:
            return OutputHook(layer, self._state, meet, per_call)
        me = proxy(self)  # a circle would keep the network until a garbage collection
        return ActivationHook(layer, self._state, meet, lambda *place: me.meet_place(*place))

    @property
    def is_on(self) -> bool:
        """Whether the hooks are on."""
        return bool(self._handles)

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        if self._handles:
            return
        for hook in self.hooks:
            if hook.layer.function or not hook.layer.has_output:
                continue
            if isinstance(hook.layer.module, torch.jit.ScriptModule):
                why = "it is scripted, and torch.jit takes no hooks"
                self._state.not_measured[hook.layer.name] = why
            else:
                self._handles.append(
                    hook.layer.module.register_forward_hook(hook, with_kwargs=True)
                )

    def detach(self) -> None:
        """Take the hooks off."""
        remove_all(self._handles)
        self._state.leave_lasting_tensors()

    def found(self) -> list[tuple[str, str, int]]:
        """(layer, output, order) of all that is measured, for `settle` on another rank, or when
        the run goes on.
        """
        outputs = (*self.plan.outputs, *self.newcomers.waiting)
        return [(each.layer.name, each.name, each.order) for each in outputs if each.order >= 0]

    def settle(self, also: Iterable[tuple[str, str, int]]) -> None:
        """Make another plan, in which newcomers have rows, with what all have measured.

        Args:
            also: (layer, output, order) of what others have found.
        """
        before = self.plan
        for layer, output in self.newcomers.meet_all(also, before.outputs):
            self.hooks[layer].expect(output)
        outputs = (*before.outputs, *self.newcomers.waiting)
        measured = self.newcomers.leave()  # before the plan gives them other rows
        units = rows_of_units(outputs)
        kept, forgotten = in_network_order(self._layers, outputs)
        for layer, output in forgotten:
            self.hooks[layer].forget(output)
        self.plan = plan(self._layers, kept, self._options, self._in_parts)
        absorb(self.plan, before, measured)
        absorb_units(self.plan, before, units)

    def replace(self, layers: Sequence[Layer]) -> None:
        """Make another plan of other modules and parameters in the places of those before, with
        what was measured.

        Args:
            layers: as many as before, under the same names; functions are none of them.
        """
        others = iter(layers)
        self._layers = [each if each.function else next(others) for each in self._layers]
        self.newcomers.follow(self._layers)
        for hook, layer in zip(self.hooks, self._layers, strict=True):
            hook.follow(layer)
        before, units = self.plan, rows_of_units(self.plan.outputs)
        self.plan = plan(self._layers, before.outputs, self._options, self._in_parts)
        absorb(self.plan, before, ())
        absorb_units(self.plan, before, units)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The watched layers; activation functions that are no modules come in as they are met."""
        return tuple(self._layers)

    def add_function(self, layer: Layer, after: str) -> OutputHook:
        """Watch a function from now on, which is none of the network's modules.

        Args:
            after: the name of the layer that it follows; "" if it comes before all.

        Returns:
            What to call with each of its outputs, as a forward hook is called.
        """
        at = next((i + 1 for i, each in enumerate(self._layers) if each.name == after), 0)
        while at < len(self._layers) and self._layers[at].function:
            at += 1
        hook = self._hook(layer)
        self._layers.insert(at, layer)
        self.hooks.insert(at, hook)
        return hook

    def meet_place(
        self, of: Layer, after: Layer, others: Collection[OutputHook]
    ) -> OutputHook | None:
        """Watch one more place in which an activation function without parameters stands.

        Args:
            of: the function's layer.
            after: the layer that it follows there.
            others: the hooks of the places that it is known to stand in besides.

        Returns:
            What to call with its outputs there; None if it stands in too many places.
        """
        assert of.nonlinearity is not None
        if len(others) >= MOST_PLACES:
            return None
        known = {hook.layer.name: hook for hook in self.hooks}
        function = of.nonlinearity.name
        base = f"{after.name.partition('/')[0]}/{function}"
        ours = {name for name, hook in known.items() if hook.layer.module is of.module}
        name = first_free(base, known.keys() - {x for x in ours if known[x] not in others})
        if name in known:  # which other ranks have met, or the run that goes on
            return known[name]
        place = replace(of, name=name, function=function)
        return self.add_function(place, after.name)

    def sort_functions(self) -> None:
        """Put functions that follow the same layer in the order of their names, which is the same
        on all ranks.
        """
        order, number = {}, 0
        for layer in self._layers:
            number += not layer.function
            order[layer.name] = number, layer.function and layer.name
        self._layers.sort(key=lambda layer: order[layer.name])
        self.hooks.sort(key=lambda hook: order[hook.layer.name])

    def functions(self) -> list[tuple[str, str, str, str]]:
        """(name, path, function, name of the layer before) of each function, for others."""
        found, before = [], ""
        for layer in self._layers:
            if layer.function:
                found.append((layer.name, layer.path, layer.function, before))
            else:
                before = layer.name
        return found
