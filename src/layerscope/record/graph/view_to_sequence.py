"""A convolution's maps that a view has cut into a sequence along the wrong axis."""

from typing import Any

from torch import Tensor, nn

from layerscope.record.graph_nodes import VIEWS, inputs_of, kind_of, shape_of, through

_TURNS = ("Transpose", "Permute", "T", "Clone")
"""Functions that exchange axes, or copy."""

_CONVOLUTIONS = ("Convolution", "MkldnnConvolution", "CudnnConvolution")

_BETWEEN = 12
"""Functions after a convolution: activations, a normalisation, a pooling, sums with what it got."""


class ViewToSequence:
    """Told in the first step only. Where [samples, channels, time, bands] of a convolution become
    [samples, time, channels * bands] by a view alone, each step is made of parts of some channels.

    Sizes tell, of a module's input: the second axis is as long as one of the maps' places, not as
    their channels, and the rest is in the third. And a recurrent layer or attention runs along it.
    """

    def __init__(self) -> None:
        self._cut: set[tuple[int, int]] = set()  # samples, steps
        self._run_along: set[tuple[int, int]] = set()

    @property
    def is_any(self) -> bool:
        """Whether a layer runs along an axis that such a view has made."""
        return bool(self._cut & self._run_along)

    def note(self, module: nn.Module, inputs: object) -> None:
        """A module of the network was called with these."""
        given = inputs[0] if isinstance(inputs, tuple) and inputs else None
        if not isinstance(given, Tensor) or given.ndim != 3:
            return
        if isinstance(module, (nn.RNNBase, nn.MultiheadAttention)):
            one, other = given.shape[:2]
            self._run_along.add((one, other) if module.batch_first else (other, one))
        if given.grad_fn is None:
            return
        node = through(given.grad_fn, _TURNS)
        before = getattr(node, "_saved_self_sym_sizes", None)
        if before is None or kind_of(node) not in VIEWS:
            return
        after = shape_of(node)
        if _cuts_along_places(tuple(before), after) and _is_of_convolution(inputs_of(node)[0]):
            self._cut.add((after[0], after[1]))


def _cuts_along_places(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether [samples, channels, *places] have become [samples, one of the places, the rest]."""
    if len(before) not in (3, 4) or len(after) != 3 or before[0] != after[0]:
        return False
    channels, places = before[1], before[2:]
    merged = channels * places[0] if len(places) > 1 else channels
    steps = after[1]
    return steps > 1 and channels > 1 and steps in places and steps not in (channels, merged)


def _is_of_convolution(node: Any) -> bool:
    """Whether it gives a convolution's maps, with their axes as they were."""
    for _ in range(_BETWEEN):
        kind, before = kind_of(node), inputs_of(node)
        if kind in _CONVOLUTIONS:
            return True
        if kind in (*VIEWS, *_TURNS[:-1]) or not before:
            return False
        node = before[0]
    return False
