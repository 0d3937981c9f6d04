"""Softmaxes of a loss: along which axis, of what has been through one, of products of samples."""

from typing import Any

from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph_nodes import (
    PARTS,
    WHOLE,
    inputs_of,
    kind_of,
    shape_of,
    signed,
    through,
)

SCALES = ("Mul", "Div")


_IN_PLACE = tuple(kind for kind in WHOLE if kind not in ("Transpose", "T", "Permute"))


def axis_of(softmax: Any, outputs: MarkedOutputs) -> str:
    """Along which axis of an output [samples, classes] a softmax runs; "" of anything else."""
    source = through(inputs_of(softmax)[0], (*_IN_PLACE, *SCALES), outputs)
    shape = outputs.shape_of(source)
    if len(shape) != 2 or min(shape) < 2 or shape[0] == shape[1]:
        return ""
    return "samples" if signed(getattr(softmax, "_saved_dim", 1)) in (0, -2) else "classes"


TAKES_LOGITS = ("Sigmoid", "LogSigmoid", "Softmax", "LogSoftmax", "BinaryCrossEntropyWithLogits")


def activation_before(node: Any, outputs: MarkedOutputs) -> float:
    """What has been applied already to the output that a function of logits takes: 1 for a sigmoid
    or softmax that the network ends with, that of `OF_LOOP` for a function that the training loop
    puts it through before a criterion, `TURNED` or `TURNED_PRODUCTS` where it turns the sign of
    an output, or of products of embeddings; else 0.
    """
    source = through(inputs_of(node)[0], WHOLE, outputs)
    if source in outputs:
        return float(kind_of(through(source, WHOLE)) in ("Sigmoid", "Softmax"))
    if kind_of(node) not in _CRITERIA:
        return 0.0
    source = through(source, _ROWS, outputs)
    if source in outputs or kind_of(source) not in OF_LOOP:
        return _turned(source, outputs)
    is_output = through(inputs_of(source)[0], _ROWS, outputs) in outputs
    return OF_LOOP[kind_of(source)] * is_output


TURNED, TURNED_PRODUCTS = 5.0, 6.0


def _turned(source: Any, outputs: MarkedOutputs) -> float:
    """Whether it is minus an output of the network, or minus the products of embeddings, times a
    number at most; 1 - these is minus them too.
    """
    signs = 0
    while source not in outputs and len(inputs_of(source)) == 1:
        kind = kind_of(source)
        if kind not in (*_ROWS, *SCALES, *_TURNS):
            break
        signs += kind in _TURNS
        (source,) = inputs_of(source)
    if signs % 2 == 0:
        return 0.0
    if source in outputs:
        return TURNED
    return TURNED_PRODUCTS * _is_of_embeddings(source)


_TURNS = ("Neg", "Rsub")
OF_LOOP = {"Relu": 2.0, "Tanh": 3.0, "Sigmoid": 4.0, "Softmax": 4.0}
_CRITERIA = ("LogSoftmax", "BinaryCrossEntropyWithLogits")
"""Functions of logits that a criterion is made of: a sigmoid alone may be anything's."""
_ROWS = (*WHOLE, "Select", "Slice", "Index")


def is_against_itself(softmax: Any) -> bool:
    """Whether its rows are products of samples with all of the same samples, nothing masked."""
    product = through(inputs_of(softmax)[0], (*WHOLE, *SCALES))
    operands = inputs_of(product)
    if kind_of(product) != "Mm" or len(operands) != 2:
        return False
    one, other = (through(each, WHOLE) for each in operands)
    return one is other


_BETWEEN = (*WHOLE, *SCALES, "MaskedFill", "CopySlices", "Sub", "Add", "Where")


def candidates_of(softmax: Any) -> int:
    """How many entries its rows have, if they are products of embeddings; 0 else."""
    source = through(inputs_of(softmax)[0], _BETWEEN)
    # Or a temperature that is learned times such products.
    factors = inputs_of(source) if kind_of(source) == "Mul" else [source]
    sources = [through(each, _BETWEEN) for each in factors]
    joined = next((each for each in sources if kind_of(each) == "Cat"), None)
    if joined is None:
        parts = [_summed(each) for each in sources]
        parts = [each for each in parts if kind_of(each) in _OF_TWO and len(inputs_of(each)) == 2]
    else:  # the partner's products, and those of all others, which may have no gradient: a queue
        parts = [_summed(each) for each in inputs_of(joined)]
    if not parts or not all(map(_is_of_embeddings, parts)):
        return 0
    shape = shape_of(softmax)
    return int(shape[-1]) if len(shape) == 2 else 0


_OF_TWO = ("Mm", "Bmm", "Mul")


def _summed(node: Any) -> Any:
    """The product of matrices behind it, or that which is summed up along an axis."""
    node = through(node, (*_BETWEEN, *PARTS))
    if kind_of(node) == "Sum":
        return through(inputs_of(node)[0], WHOLE)
    return None if kind_of(node) == "Mul" else node


def _is_of_embeddings(product: Any) -> bool:
    """Whether it is a product, and none of a layer's weight: a function of the loop's own is part
    of the network.
    """
    operands = [_undivided(each) for each in inputs_of(product)]
    is_one = kind_of(product) in _OF_TWO and bool(operands)
    return is_one and not any(kind_of(each) == "AccumulateGrad" for each in operands)


def _undivided(node: Any) -> Any:
    """What it is, moved, or what has been divided by its norm to make it."""
    node = through(node, WHOLE)
    return through(inputs_of(node)[0], WHOLE) if kind_of(node) == "Div" else node


_SUMS = (*WHOLE, "Div", "Neg", "Sum", "Mean")


def is_mean_of_torch(loss: Any) -> bool:
    """Whether torch's own `cross_entropy` has made this node, to be the mean over the samples: in
    Python nobody gets this division, by a size.
    """
    return type(loss).__name__ == "DivBackward1"


def takes_shares(loss: Any, outputs: MarkedOutputs) -> bool:
    """Whether it is minus a sum, or mean, of products of targets and log-softmaxes of an output,
    and of nothing else: one product alone has no weights in it.
    """
    product = through(loss, _SUMS, outputs)
    if product in outputs or kind_of(product) != "Mul" or len(inputs_of(product)) != 1:
        return False
    logs = through(inputs_of(product)[0], WHOLE, outputs)
    if logs in outputs or kind_of(logs) != "LogSoftmax":
        return False
    return through(inputs_of(logs)[0], WHOLE, outputs) in outputs
