"""Is a loss a cross-entropy that takes numbers of the outputs' shape for probabilities?"""

from typing import Any

from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph_nodes import WHOLE, inputs_of, kind_of, through

_SUMS = (*WHOLE, "Div", "Neg", "Sum", "Mean")


def is_mean_of_torch(loss: Any) -> bool:
    """Whether torch's own `cross_entropy` has made this node, to be the mean over the samples: in
    Python nobody gets this division, by a size.
    """
    return type(loss).__name__ == "DivBackward1"


def takes_shares(loss: Any, outputs: MarkedOutputs) -> bool:
    """Whether it is minus a sum, or mean, of products of targets and log-softmaxes of an output,
    and of nothing else: one product alone has no weights in it.

    Args:
        loss: the node that made it.
    """
    product = through(loss, _SUMS, outputs)
    if product in outputs or kind_of(product) != "Mul" or len(inputs_of(product)) != 1:
        return False
    logs = through(inputs_of(product)[0], WHOLE, outputs)
    if logs in outputs or kind_of(logs) != "LogSoftmax":
        return False
    return through(inputs_of(logs)[0], WHOLE, outputs) in outputs
