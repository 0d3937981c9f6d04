"""Is a loss the exponential, or a power, of a criterion's mean?"""

import math
from typing import Any

from layerscope.record.graph_nodes import WHOLE, inputs_of, kind_of, shape_of, through

_NEVER_NEGATIVE = ("NllLoss", "MseLoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "KlDiv", "CtcLoss")
_OF_BITS = ("BinaryCrossEntropy", "BinaryCrossEntropyWithLogits")
_CRITERIA = (*_NEVER_NEGATIVE, *_OF_BITS, "NllLoss2D", "SoftMarginLoss", "MultiMarginLoss")
_SCALED = (*WHOLE, "Mul", "Div", "Add", "Sub")

EXPONENTIAL = 1.0


def raised(loss: Any) -> float:
    """EXPONENTIAL of exp(criterion), p of criterion**p where p is above 1; 0 of any other loss.

    A criterion is one of torch's, or any mean, of one number; within the function it may be
    multiplied by a number, and have one added. Of which sign that is the graph has forgotten after
    a backward pass: exp(-criterion) is below 1. A power is told of torch's own criteria alone: the
    square of a mean may be how far that is from 0.

    Args:
        loss: the node that made it.
    """
    node = through(loss, WHOLE)
    kind, inputs = kind_of(node), inputs_of(node)
    if math.prod(shape_of(node)) != 1 or not inputs:
        return 0.0
    inner = through(inputs[0], _SCALED)
    of_torch = kind_of(inner) in _CRITERIA
    if math.prod(shape_of(inner)) != 1 or not (of_torch or kind_of(inner) == "Mean"):
        return 0.0
    if kind == "Exp":
        return EXPONENTIAL
    power = 2.0 if kind == "Mul" and len(inputs) == 2 and inputs[0] is inputs[1] else 0.0
    if type(node).__name__ == "PowBackward0":  # by a number: a tensor may be freed
        power = float(node._saved_exponent)
    return power if of_torch and power > 1 else 0.0
