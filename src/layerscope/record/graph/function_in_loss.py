"""A function that a training loop puts a network's output through before the loss."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from layerscope.record.graph.criterion_in_loss import compared_in_mean_square
from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph.softmax_in_loss import SCALES
from layerscope.record.graph_nodes import WHOLE, inputs_of, kind_of, shape_of, through

_NAMES = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Relu": "relu"}


@dataclass(frozen=True, slots=True)
class AppliedFunction:
    """What all of the loss gets an output through.

    Attributes:
        name: sigmoid, tanh or relu.
        elements: how many it has been applied to.
        in_mean_square: whether the loss is the mean squared difference of what it gives from
            something, and nothing else but a factor.
        has_factor: whether it may be that times a number.
    """

    name: str
    elements: int
    in_mean_square: bool
    has_factor: bool


def applied_function(
    loss: Any, nodes: Sequence[Any], outputs: MarkedOutputs
) -> AppliedFunction | None:
    """None where no function, or more than one, is applied to an output, where the loss gets that
    output otherwise too, and where the function is the network's own.

    Args:
        loss: the node that made it.
        nodes: all from there to the outputs.
    """
    between = [node for node in nodes if node not in outputs]
    functions = [node for node in between if kind_of(node) in _NAMES]
    if not functions:
        return None  # the usual
    applied = [
        (node, source)
        for node in functions
        if (source := through(inputs_of(node)[0], WHOLE, outputs)) in outputs
    ]
    if len(applied) != 1:
        return None
    ((node, source),) = applied
    users = Counter(each for here in between for each in inputs_of(here))
    if users[source] != 1:
        return None
    elements = math.prod(shape_of(node))
    criterion = through(loss, (*WHOLE, *SCALES))
    compared = compared_in_mean_square(criterion, WHOLE, outputs)
    is_all = compared is not None and through(compared, WHOLE, outputs) is node
    has_factor = criterion is not through(loss, WHOLE)
    return AppliedFunction(_NAMES[kind_of(node)], elements, is_all, has_factor)
