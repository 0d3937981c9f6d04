"""Measuring inside a graph of torch.compile that must not break: an operator of ours is part of it.

Where torch.compile may break its graph, a hook is called between two graphs, as it is anywhere
else. Under `fullgraph=True` it may not. There a hook is traced, and puts two calls of an operator
into the graphs: one for the output in the forward pass, one for its gradient in the backward pass.
The operator has an effect, so that nothing takes it out or changes the order.
"""

from itertools import count
from typing import Any, Protocol
from weakref import WeakValueDictionary

import torch
from torch import Tensor


class MeasuredInGraph(Protocol):
    """What a graph calls."""

    def measure_in_graph(self, tensor: Tensor, is_gradient: bool) -> None:
        """Measure an output, or its gradient: it has no graph, and its memory is used again."""


_hooks: WeakValueDictionary[int, MeasuredInGraph] = WeakValueDictionary()
_numbers = count()
_library = torch.library.Library("layerscope", "DEF")  # type: ignore[no-untyped-call]
_library.define(  # type: ignore[no-untyped-call]
    "measure(Tensor tensor, int number, bool is_gradient) -> ()"
)


def _measure(tensor: Tensor, number: int, is_gradient: bool) -> None:
    hook = _hooks.get(number)
    if hook is not None:
        hook.measure_in_graph(tensor, is_gradient)


_library.impl("measure", _measure, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
_library.impl("measure", lambda *_: None, "Meta")  # type: ignore[no-untyped-call]


def number_of(hook: MeasuredInGraph) -> int:
    """The number by which a graph calls a hook, as long as it lives."""
    number = next(_numbers)
    _hooks[number] = hook
    return number


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def graph_is_whole() -> bool:
    """Whether torch.compile, which is tracing, may not break its graph, and knows effects."""
    try:
        from torch._dynamo.symbolic_convert import InstructionTranslator
        from torch._higher_order_ops.effects import _EffectType, _register_effectful_op

        if not InstructionTranslator.current_tx().one_graph:
            return False
        _register_effectful_op(torch.ops.layerscope.measure.default, _EffectType.ORDERED)
    except (ImportError, AttributeError):  # of another torch: the graph breaks, as it may not
        return False
    return True


class _Measured(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, output: Tensor, number: int) -> Tensor:
        ctx.number = number
        torch.ops.layerscope.measure(output, number, False)
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        torch.ops.layerscope.measure(gradient, ctx.number, True)
        return gradient, None


def measured_in_graph(output: Tensor, number: int) -> Tensor:
    """An output, for a graph in which the hook of this number measures it and its gradient."""
    return _Measured.apply(output, number)  # type: ignore[no-untyped-call]
