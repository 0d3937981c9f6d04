"""One output tensor of a layer of which processes have parts or copies: tensor parallelism."""

from torch import Tensor

from layerscope.measure.measurable import is_measurable
from layerscope.quantity import Quantity
from layerscope.record.distributed.layouts import Layout, Layouts
from layerscope.record.distributed.shards import is_sharded, local_part
from layerscope.record.hook_state import HookState
from layerscope.record.layer_output import Inputs, LayerOutput
from layerscope.record.network.layers import Layer

_DIFFERS = "is divided in one way in some of its calls, and in another in others"


class PartedOutput(LayerOutput):
    """Measures the part that this process has, or, of what several have, nothing if another one
    counts it.

    A layout is read off the graph at each call of the first step, and then kept; of a DTensor it is
    read at each call.
    """

    __slots__ = ("_gradient_layout", "_layout", "_layouts", "_read_in", "_unit_axis")

    def __init__(self, layer: Layer, name: str, state: HookState, layouts: Layouts) -> None:
        super().__init__(layer, name, state)
        self._layouts = layouts
        self._layout: Layout | None = None
        self._gradient_layout = Layout()
        self._read_in = 0  # of `Layouts.steps`
        self._unit_axis = -1

    def follow(self, layer: Layer) -> None:
        """Be an output of another layer, which stands in the place of the one before."""
        super().follow(layer)
        self._layout = None

    def unit_part(self) -> tuple[int, int]:
        """Which of how many parts of the layer's units this process has."""
        return (0, 1) if self._layout is None else self._layouts.part(self._layout, self._unit_axis)

    def measure(
        self, tensor: Tensor, inputs: Inputs, recomputed: bool, may_wait: bool = True
    ) -> None:
        """Measure what this process has of an output, and of its gradient."""
        # What is recomputed hangs on copies of what it was made of, which say nothing.
        is_kept = self._layout is not None and self._read_in != self._layouts.steps
        if not (recomputed or (is_kept and type(tensor) is Tensor)):
            self._read_layout(tensor)
        layout = self._layout
        if layout is None or layout.why:
            return
        own = local_part(tensor)
        if not is_measurable(own):
            super().measure(own, inputs, recomputed, may_wait)  # which tells why it is not measured
            return
        if not (is_kept or recomputed):
            self._state.copies.note(self.name, self._layouts, layout, own)
        here = self._layouts.counts_here(layout)
        if here and not recomputed and self.activation >= 0:
            self._measure_output(own, inputs, may_wait and type(own) is Tensor)
        if self.order < 0:
            self.order = self._state.next_order()
        if self.gradient >= 0 and tensor.requires_grad and not self._gradient_layout.why:
            self._hook(tensor)

    def _read_layout(self, tensor: Tensor) -> None:
        """Find out how processes divide an output, and its gradient."""
        layout = self._layouts.of(tensor)
        if self._layout not in (None, layout) and not layout.why:
            layout = self._gradient_layout = Layout(why=_DIFFERS)
            if self.tally is not None and self.activation >= 0:
                self.tally.lose(self.activation)
        if self._layout is None:
            self._read_in = self._layouts.steps
        self._layout = layout
        if layout.why:
            self._state.not_measured[self.layer.name] = f"its output {layout.why}"
            return
        self._gradient_layout = gradient = self._layouts.of_gradient(tensor)
        if gradient.why:
            self._note_gradient(gradient.why)
        if tensor.ndim > 1:
            axis = self._axis(tensor) if self._units_axis is None else self._units_axis
            self._unit_axis = axis % tensor.ndim

    def _measure_output(self, tensor: Tensor, inputs: Inputs, may_wait: bool) -> None:
        """Where it cannot be told along which axis the parts lie, their units are not watched."""
        units = self.units
        if self._layout is not None and None in self._layout.parts.values():
            self.units = None
        super()._measure_output(tensor, inputs, may_wait)
        self.units = units

    def __call__(self, gradient: Tensor, may_wait: bool = True) -> None:
        """Measure what this process has of the gradient of an output."""
        state = self._state
        try:
            layout = self._gradient_layout
            if is_sharded(gradient):
                layout = self._layouts.of(gradient)
            if layout.why:
                self._note_gradient(layout.why)
                return
            if not self._layouts.counts_here(layout):
                state.backward_began = True
                return
            own = local_part(gradient)
        except Exception as error:  # whatever it is, the network goes on without us
            state.give_up(error)
            return
        super().__call__(own, may_wait)

    def _note_gradient(self, why: str) -> None:
        self._state.not_measured[f"{self.name}.{Quantity.ACTIVATION_GRAD}"] = f"it {why}"


def output_of(layer: Layer, name: str, state: HookState) -> LayerOutput:
    """An output of a layer, of which processes may have parts."""
    if state.layouts is None:
        return LayerOutput(layer, name, state)
    return PartedOutput(layer, name, state, state.layouts)
