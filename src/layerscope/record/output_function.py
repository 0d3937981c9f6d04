"""Which function made a tensor, be it a module's or written in a forward: autograd knows."""

from dataclasses import dataclass

from torch import Tensor

_NAMES = {
    "SigmoidBackward": "sigmoid",
    "SoftmaxBackward": "softmax",
    "TanhBackward": "tanh",
    "ReluBackward": "relu",
    "SoftplusBackward": "softplus",
    "EluBackward": "elu",
    "LogSigmoidBackward": "logsigmoid",
    "LogSoftmaxBackward": "log_softmax",
}
_MOVES = (
    *("View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Transpose", "Permute", "T"),
    *("Select", "Slice", "Expand", "Clone", "Alias", "AsStrided", "ToCopy"),
)
_LAST = 2**64 - 1
"""What autograd gives for the axis -1."""


@dataclass(frozen=True, slots=True)
class OutputFunction:
    """What was applied last.

    Attributes:
        name: in lower case; "" for a function that is not known, such as a linear one.
        over_samples: whether it is a softmax along the first axis of several samples and classes.
        over_middle: whether it is one along an axis that is neither the first nor the last.
    """

    name: str = ""
    over_samples: bool = False
    over_middle: bool = False


def output_function(tensor: Tensor) -> OutputFunction:
    """The function that a tensor has been through last; views of it are looked through.

    A function that is applied to the output outside of the network is not seen.
    """
    node = tensor.grad_fn
    moved = False
    while node is not None:
        kind = type(node).__name__.rstrip("0123456789")
        if kind.removesuffix("Backward") not in _MOVES or len(node.next_functions) != 1:
            break
        node, moved = node.next_functions[0][0], True
    if node is None:
        return OutputFunction()
    name = _NAMES.get(kind, "")
    axis = getattr(node, "_saved_dim", _LAST) if "softmax" in name else _LAST
    along_first = axis in (0, _LAST + 1 - tensor.ndim) and not moved
    matrix = tensor.ndim > 1 and len(tensor) > 1 and tensor.shape[-1] > 1
    place = axis if axis < tensor.ndim else axis - (_LAST + 1 - tensor.ndim)
    return OutputFunction(name, along_first and matrix, not moved and 0 < place < tensor.ndim - 1)
