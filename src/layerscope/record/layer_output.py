"""One output tensor of one layer, and the rows that measure it."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from layerscope.measure import Tally
from layerscope.measure.changed_in_place import Given
from layerscope.measure.device_held import HeldOnDevice
from layerscope.measure.device_tally import DeviceTally
from layerscope.measure.device_units import DeviceUnitTally
from layerscope.measure.held import HeldTensors
from layerscope.measure.measurable import is_measurable
from layerscope.measure.units import UnitTally
from layerscope.record.hook_state import HookState
from layerscope.record.hooks.handles import hook_gradient
from layerscope.record.network.layers import Layer
from layerscope.record.network.units_axis import axis_in_graph, axis_of_module, with_units_beside
from layerscope.record.not_finite import NotFinite, given_to, look_for_cause

Inputs = tuple[tuple[Any, ...], Mapping[str, Any]]

_is_tracing: Callable[[], bool] = torch._C._is_tracing


class LayerOutput:
    """One tensor that a layer gives, call after call, and the rows that measure it.

    Args:
        layer: whose output it is.
        name: the layer's, with the path of the tensor in the output where there is one.

    Attributes:
        tally: whose rows measure it.
        held: where it may wait to be measured together with others; None: it is measured at once.
        activation, gradient: those rows; -1 measures none.
        units, unit_row: where its units are watched; None watches none.
        order: in which forward passes first reached it, from 0; -1 before.
        features: how long the last axes were, of what the layer's entry was called with and of what
            the layer gave then; 0 where there was none, or another module is the entry.
        not_finite: of the step's first output that was not finite, what the layer was given.
    """

    __torch_unserializable__ = True  # torch.save and copy.deepcopy of its tensor leave it out

    __slots__ = (
        "_is_given",
        "_state",
        "_units_axes",
        "_units_axis",
        "activation",
        "features",
        "gradient",
        "held",
        "layer",
        "name",
        "not_finite",
        "order",
        "tally",
        "unit_row",
        "units",
    )

    def __init__(self, layer: Layer, name: str, state: HookState) -> None:
        self.layer = layer
        self.name = name
        self._state = state
        self.tally: Tally | DeviceTally | None = None
        self.held: HeldTensors | HeldOnDevice | None = None
        self.units: UnitTally | DeviceUnitTally | None = None
        self.activation = self.gradient = self.unit_row = -1
        self.order = -1
        self.features = (0, 0)
        self.not_finite: NotFinite | None = None
        self._units_axis = axis_of_module(layer.entry)
        self._units_axes: dict[int, int] = {}
        self._is_given = layer.entry is layer.module

    def follow(self, layer: Layer) -> None:
        """Be an output of another layer, which stands in the place of the one before."""
        self.layer = layer
        self._units_axis = axis_of_module(layer.entry)
        self._units_axes.clear()
        self._is_given = layer.entry is layer.module

    def measure(
        self, tensor: Tensor, inputs: Inputs, recomputed: bool, may_wait: bool = True
    ) -> None:
        """Measure an output, and put a hook on it that measures its gradient.

        Args:
            inputs: what the module was called with: positional and named arguments.
            recomputed: whether activation checkpointing calls the module again, in the backward
                pass: its output was measured before, its gradient may be yet to come.
            may_wait: whether its memory stays what it is, unless torch counts a new version.
        """
        if _is_tracing():  # torch.jit.trace calls the network, and nobody trains
            return
        is_plain = type(tensor) is Tensor  # a subclass may have no memory
        if not (is_plain and self.order >= 0) and not is_measurable(tensor):
            nested = "nested " if tensor.is_nested else ""
            kind = f"{nested}{type(tensor).__name__}, {tensor.dtype}, {tensor.layout}"
            self._state.not_measured[self.layer.name] = f"its output is {kind}, {tensor.device}"
            return
        if not recomputed and self.activation >= 0:
            self._measure_output(tensor, inputs, is_plain and may_wait)
        if self.order < 0:  # not before: it may have failed
            self.order = self._state.next_order()
            given = inputs[0][0] if inputs[0] and self._is_given else None
            self.features = (_last_size(given), _last_size(tensor))
        if self.gradient >= 0 and tensor.requires_grad:
            self._hook(tensor)

    def _measure_output(self, tensor: Tensor, inputs: Inputs, may_wait: bool) -> None:
        """Let an output be held, where it may be; otherwise measure it where it lies."""
        unit_row, axis = -1, -1
        if self.units is not None and tensor.ndim > 1:
            unit_row = self.unit_row
            if self._units_axis == -1:
                self._state.units_last = True
            else:
                tensor, axis = with_units_beside(tensor, self._axis(tensor))
        held = self.held
        if held is not None and may_wait and tensor.nbytes <= held.largest:
            given: Given | None = None
            is_small = True
            if held.looks_for_causes:
                given = given_to(self.layer, inputs) if self._is_given else ()
                if given:
                    is_small = sum([each.nbytes for each, _ in given]) <= held.largest
            if is_small and held.hold(self.activation, tensor, unit_row, axis, given):
                return
        assert self.tally is not None
        if self.tally.add(self.activation, tensor) and self.not_finite is None:
            self.find_cause(given_to(self.layer, inputs))
        if unit_row >= 0:
            assert self.units is not None
            self.units.add(unit_row, tensor, axis)

    def find_cause(self, given: Given) -> None:
        """An output is not finite: look at what the layer was given, unless that has been done."""
        if self.not_finite is None:
            if not given and (data := self._state.data.get(self.layer.name)) is not None:
                given = (data,)  # a pair's own, as it is the network's first layer
            self.not_finite = look_for_cause(self.layer, self.name, given)
            self._state.look_around()

    def _hook(self, tensor: Tensor) -> None:
        """Put a hook on an output that measures its gradient."""
        if tensor._backward_hooks or tensor.grad_fn is None:
            self._hook_what_lives_on(tensor)
        else:
            hook_gradient(tensor, self)

    def _hook_what_lives_on(self, tensor: Tensor) -> None:
        """Put the hook on a tensor that is not new, such as a parameter that a module gives: once,
        until the step ends, since the tensor lives on when the step is over.
        """
        present = tensor._backward_hooks or {}
        if not any(hook is self for hook in present.values()):
            handle = tensor.register_hook(self)  # type: ignore[no-untyped-call]
            self._state.on_lasting_tensors.append(handle)

    def _axis(self, tensor: Tensor) -> int:
        """Of the units. For a module that may be called on either kind, as a function may, the
        graph is asked once for each number of axes; where there is none, as behind frozen layers,
        it is that of the layer that was called last.
        """
        axis = self._units_axis
        if axis is not None:
            self._state.units_last = axis == -1
            return axis
        if tensor.ndim == 2:
            return -1
        known = self._units_axes.get(tensor.ndim)
        if known is None:
            known = axis_in_graph(tensor)
            if known is None:
                return -1 if self._state.units_last else 1
            known = -1 if known == tensor.ndim - 1 else known
            self._units_axes[tensor.ndim] = known
        return known

    def __call__(self, gradient: Tensor, may_wait: bool = True) -> None:
        """Measure the gradient of an output, as its tensor's hook. (A bound method would be one
        object more in each step.)
        """
        state = self._state
        try:
            if not state.counting:  # the step was paused between forward and backward
                return
            clock = state.clock
            began = clock() if clock else 0.0
            held = self.held
            may_wait &= type(gradient) is Tensor and gradient.layout is torch.strided
            if not (may_wait and held is not None and held.hold(self.gradient, gradient)):
                assert self.tally is not None
                self.tally.add(self.gradient, gradient)
            state.backward_began = True
            if clock:
                state.spent += clock() - began
        except Exception as error:  # whatever it is, the network goes on without us
            state.give_up(error)


def _last_size(tensor: Any) -> int:
    """0 of what has no axes."""
    return int(tensor.shape[-1]) if isinstance(tensor, Tensor) and tensor.ndim else 0
