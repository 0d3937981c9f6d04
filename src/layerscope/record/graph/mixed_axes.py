"""Whether a `view` stands in the place of a transpose between the output and a cross-entropy."""

from torch import Tensor

from layerscope.measure.pending import NO, Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.graph.class_rows import is_of_classes

_SOME = 4
"""Samples, and positions along each axis, that are looked at: it is exact."""


def mixes_axes(gradient: Tensor) -> Pending[bool]:
    """Whether the loss took classes and positions of the output for each other.

    The gradient of a cross-entropy adds up to zero over the classes, with one negative entry. That
    of an output [n, positions, classes] does so along its last axis, or along its second if classes
    come first; wherever `movedim` or `transpose` has put them for the loss. If it does so along no
    axis of the output, but along the classes of the same memory cut the other way, [n, classes,
    positions], then a `view` or `reshape` has cut it so.

    Args:
        gradient: d loss / d output, [n, ...].
    """
    if gradient.ndim < 3 or not gradient.shape[0]:
        return NO
    part = gradient.detach()[:_SOME]
    right = [_some(part.movedim(axis, -1)) for axis in range(1, part.ndim)]
    count, first, last = part.shape[0], part.shape[1], part.shape[-1]
    wrong = [_some(part.reshape(count, -1, first)), _some(part.reshape(count, last, -1).mT)]

    def is_mixed() -> bool:
        return not any(map(_is_of_classes, right)) and any(map(_is_of_classes, wrong))

    return Pending(is_mixed)


def _some(rows: Tensor) -> Pending[Tensor]:
    every = (slice(None, None, max(size // _SOME, 1)) for size in rows.shape[1:-1])
    return on_host(rows[:, *every].clone())  # clipping may change it in place


def _is_of_classes(rows: Pending[Tensor]) -> bool:
    return is_of_classes(rows.get().double().numpy())
