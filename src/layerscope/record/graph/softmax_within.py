"""Whether a softmax within the network runs along the samples of the batch, told from its graph."""

from typing import Any

from layerscope.record.graph_nodes import WHOLE, inputs_of, kind_of, shape_of, signed, through
from layerscope.record.outputs import tensors_in

_PARAMETER, _PRODUCT = "AccumulateGrad", "Bmm"
"""The nodes of a parameter, and of products of activations."""


class SoftmaxWithin:
    """Told in the first step only, where a call gives a row for each sample: its output has one or
    two axes, and the first one is as long as that of all matrices that it gets. A softmax along a
    first axis of that length, which has other places beside it and none of them as many, runs
    along the samples.

    Not of parameters, nor of products of several queries with keys, [.., queries, keys], which are
    looked at for themselves.

    Attributes:
        over_samples: whether there is such a softmax.
    """

    def __init__(self) -> None:
        self.over_samples = False
        self._given = 0  # rows of what the call got; 0 where they differ
        self._rows: set[int] = set()

    def begin(self, inputs: object) -> None:
        """The network is called."""
        matrices = tensors_in(inputs, of_any_type=True)  # tokens, too
        shapes = [each.shape for _, each in matrices if each.ndim > 1]
        rows = {shape[0] for shape in shapes}
        many = len(rows) == 1 and not any(shape[0] in shape[1:] for shape in shapes)
        self._given = rows.pop() if many else 0

    def note_returned(self, output: object) -> None:
        """A call from outside has returned this."""
        first = next((each for _, each in tensors_in(output)), None)
        if first is not None and first.ndim in (1, 2) and len(first) == self._given > 1:
            self._rows.add(self._given)

    def see(self, node: Any) -> None:
        """A node of the graph of the network's output."""
        if not self._rows or kind_of(node) != "Softmax":
            return
        shape, axis = shape_of(node), signed(getattr(node, "_saved_dim", -1))
        if len(shape) < 2 or axis % len(shape) or shape[0] not in self._rows:
            return
        beside = shape[1:]
        if max(beside) < 2 or shape[0] in beside:
            return
        source = kind_of(through(inputs_of(node)[0], (*WHOLE, "Mul", "Div")))
        of_one_query = source == _PRODUCT and len(shape) == 2
        self.over_samples |= of_one_query or source not in (_PARAMETER, _PRODUCT)
