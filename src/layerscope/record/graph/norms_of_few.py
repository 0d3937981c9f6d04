"""How many values a normalisation takes together, as a node of autograd's graph tells."""

import math
from typing import Any

from torch import Tensor, nn

from layerscope.record.graph_nodes import (
    WHOLE,
    behind,
    inputs_of,
    kind_of,
    shape_of,
    signed,
    through,
)
from layerscope.record.network.two_modes import path_and_class
from layerscope.record.outputs import tensors_in

_MEANS = ("Mean", "VarMean", "StdMean")
_DEVIATIONS = frozenset({"Var", "Std", "VarMean", "StdMean", "Sqrt", "Rsqrt", "Pow"})

_NEAR = 8
"""Nodes: a mean of squares, what is added to it, and its root."""

_INSIDE = 32
"""Nodes of one module's own."""

FEW = 2
"""Values of which a normalisation leaves at most which is the larger."""


def few_together(node: Any) -> int:
    """How many values of a sample a node normalises together, if that is `FEW` or less; else 0.

    Told are torch's group and layer normalisation, as modules and as functions, and what somebody
    has written: something minus its own mean, divided by a deviation. Axes that the mean is taken
    of say how many values it has. One over the samples is not meant, whose number may differ from
    batch to batch.
    """
    kind, together = kind_of(node), 0
    if kind == "NativeGroupNorm":
        together = node._saved_C // node._saved_group * node._saved_HxW
    elif kind == "NativeLayerNorm":
        together = math.prod(node._saved_normalized_shape)
    elif kind in ("Div", "Mul"):
        together = _written(inputs_of(node))
    return together if together <= FEW else 0


def _written(operands: list[Any]) -> int:
    if len(operands) != 2:
        return 0
    for centred, by in (operands, operands[::-1]):
        # A scale may come before the division.
        factors = inputs_of(centred) if kind_of(centred) == "Mul" else [centred]
        together = max(map(_centred, factors), default=0)
        if together and any(kind_of(each) in _DEVIATIONS for each in behind(by, (), _NEAR)):
            return together
    return 0


def _centred(node: Any) -> int:
    """How many values the mean is of that is taken from what it is the mean of; 0 of all else."""
    operands = inputs_of(node)
    if kind_of(node) != "Sub" or len(operands) != 2:
        return 0
    mean = through(operands[1], WHOLE)
    if kind_of(mean) not in _MEANS or not inputs_of(mean):
        return 0
    source = inputs_of(mean)[0]
    if through(source, WHOLE) is not through(operands[0], WHOLE):
        return 0
    shape = tuple(getattr(mean, "_saved_self_sym_sizes", ())) or shape_of(source)
    if not shape:
        return 0
    axes = {signed(axis) % len(shape) for axis in getattr(mean, "_saved_dim", None) or ()}
    return math.prod(int(shape[axis]) for axis in axes) if axes and 0 not in axes else 0


class NormsWithoutParameters:
    """Told in the first step only: which modules that are no layer, as they have no parameters,
    make such a normalisation.
    """

    def __init__(self) -> None:
        self._found: dict[Any, nn.Module] = {}

    def note(self, module: nn.Module, inputs: object, output: object) -> None:
        """A module of the network has given an output."""
        if not isinstance(output, Tensor) or next(module.parameters(), None) is not None:
            return
        given = {each.grad_fn for _, each in tensors_in(inputs)}
        for node in () if output.grad_fn is None else behind(output.grad_fn, given, _INSIDE):
            if few_together(node):
                self._found.setdefault(node, module)  # that within comes before what it is in

    def take(self, network: nn.Module) -> dict[Any, str]:
        """Of each node that is one, the path and the class of its module."""
        return {node: path_and_class(module, network) for node, module in self._found.items()}

    def forget(self) -> None:
        """Let go of the graph."""
        self._found.clear()
