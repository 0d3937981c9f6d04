"""What sits on a layer and measures its output, and the output's gradient on the way back."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from layerscope.measure.measurable import SMALL
from layerscope.record.graph_nodes import backward_pass
from layerscope.record.hook_state import HookState
from layerscope.record.hooks.in_graph import graph_is_whole, measured_in_graph, number_of
from layerscope.record.hooks.own_hook import OwnHook
from layerscope.record.layer_output import LayerOutput
from layerscope.record.network.layers import Layer
from layerscope.record.outputs import tensors_in

Meet = Callable[[Layer, str], LayerOutput]

_function_modes: Callable[[], int] = torch._C._len_torch_function_stack

_is_compiling = torch.compiler.is_dynamo_compiling  # an export without dynamo is an export
# torch.compile knows what it is; torch 2.6 has none, and there an export sees the hooks.
is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", lambda: False)
is_wrapped: Callable[[Tensor], bool] = torch._C._functorch.is_functorch_wrapped_tensor


class OutputHook(OwnHook):
    """A forward hook that measures what its module returns, where it lies.

    Args:
        meet: (layer, name) gives an output that was not planned for.
        per_call: whether the calls of a step are kept apart.

    Attributes:
        fired: whether it was ever called while counting.
    """

    __slots__ = (
        "__weakref__",
        "_bare",
        "_calls",
        "_meet",
        "_number",
        "_outputs",
        "_per_call",
        "_round",
        "_state",
        "fired",
        "layer",
    )

    def __init__(self, layer: Layer, state: HookState, meet: Meet, per_call: bool) -> None:
        self.layer = layer
        self._state = state
        self._meet = meet
        self._per_call = per_call
        self._calls = self._round = 0
        self._outputs: dict[str, LayerOutput] = {}
        # Of a bare tensor, calls merged: by far the most common.
        self._bare: LayerOutput | None = None
        self.fired = False
        self._number = number_of(self)

    def __call__(self, module: nn.Module, inputs: Any, named: Any, output: Any) -> Tensor | None:
        """Called by torch after the module's forward."""
        state = self._state
        # An export's tensors are of classes of its own.
        if not state.counting or (type(output) is not Tensor and is_exporting()):
            return None
        if state.aside is not None and (_is_compiling() or state.depth_aside()):
            return None
        if not (state.network is None or state.network.training):
            state.note_evaluation(self.layer.name)
            return None
        if not _is_compiling():
            if _function_modes() and type(output) is Tensor:
                # Ours, or that of `torch.set_default_device`: what is asked of a tensor would go
                # through it, some 25 us a layer.
                with torch._C.DisableTorchFunction():
                    self.measure(inputs, named, output)
            else:
                self.measure(inputs, named, output)
            return None
        if state.layouts is not None:  # in compiled code nothing tells parts from copies
            return None
        is_bare = isinstance(output, Tensor) and output.is_floating_point()
        if is_bare and graph_is_whole():
            return measured_in_graph(output, self._number)
        _measure_uncompiled(self, inputs, named, output)
        return None

    def note_compilation(self) -> None:
        """Compiled code has called it."""
        self._state.is_compiled = True

    def measure_in_graph(self, tensor: Tensor, is_gradient: bool) -> None:
        """See `MeasuredInGraph`."""
        self.note_compilation()
        if not self._state.counts_here:
            return
        # A graph writes its memory anew: what is to wait is copied, if that takes little. What the
        # graph gives has a gradient already, of which the graph itself will tell.
        may_wait = tensor.nbytes <= SMALL
        tensor = tensor.clone() if may_wait else tensor.detach()
        if not is_gradient:
            self.measure((), {}, tensor, may_wait)
        elif self._bare is not None and self._bare.gradient >= 0:
            self._bare(tensor, may_wait)

    def measure(self, inputs: Any, named: Any, output: Any, may_wait: bool = True) -> None:
        """Measure what the module has made of its arguments."""
        state = self._state
        try:
            clock = state.clock
            began = clock() if clock else 0.0
            self.fired = True
            state.latest = self.layer
            recomputed = backward_pass() != -1
            if self._bare is not None and isinstance(output, Tensor) and output.is_floating_point():
                self._bare.measure(output, (inputs, named), recomputed, may_wait)
            else:
                self._measure_parts((inputs, named), output, recomputed, may_wait)
            if clock:
                state.spent += clock() - began
        except Exception as error:  # whatever it is, the network goes on without us
            if any(is_wrapped(each) for _, each in tensors_in(output)):  # without memory of its own
                state.transformed.add(self.layer.name)
            else:
                state.give_up(error)

    def _measure_parts(self, inputs: Any, output: Any, recomputed: bool, may_wait: bool) -> None:
        call = f".call_{self._call(recomputed)}" if self._per_call else ""
        found = False
        try:
            parts = list(tensors_in(output))
        except Exception as error:  # somebody's own kind of output
            why = f"its output, {type(output).__name__}, raises {type(error).__name__}"
            self._state.not_measured[self.layer.name] = why
            return
        for path, tensor in parts:
            found = True
            name = f"{self.layer.name}{call}{'.' + path if path else ''}"
            measured = self._outputs.get(name)
            if measured is None:
                measured = self._meet(self.layer, name)
                self.expect(measured)
            measured.measure(tensor, inputs, recomputed, may_wait)
        if not found and all(measured.order < 0 for measured in self._outputs.values()):
            kind = output.dtype if isinstance(output, Tensor) else type(output).__name__
            why = f"its output, {kind}, holds no tensor of floats"
            self._state.not_measured[self.layer.name] = why

    def _call(self, recomputed: bool) -> int:
        """Which call this is, from 0, since the last backward pass or the last step."""
        if recomputed:
            return max(self._calls - 1, 0)
        round_now = self._state.forward_round()
        self._calls = self._calls + 1 if self._round == round_now else 1
        self._round = round_now
        return self._calls - 1

    def expect(self, output: LayerOutput) -> None:
        """Measure a tensor of the output's name into it."""
        self._outputs[output.name] = output
        if output.name == self.layer.name:
            self._bare = output

    def follow(self, layer: Layer) -> None:
        """Measure another layer, which stands in the place of the one before."""
        self.layer = layer
        for output in self._outputs.values():
            output.follow(layer)

    def forget(self, output: LayerOutput) -> None:
        """Measure no more into an output."""
        del self._outputs[output.name]
        if self._bare is output:
            self._bare = None


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _measure_uncompiled(hook: OutputHook, inputs: Any, named: Any, output: Any) -> None:
    """One break in torch.compile's graph, and nothing of ours in it."""
    hook.note_compilation()
    hook.measure(inputs, named, output)
