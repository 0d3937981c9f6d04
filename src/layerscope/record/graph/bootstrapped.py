"""Whether the gradient flows into a target that the network gives itself, as in Q-learning."""

import numpy as np
import numpy.typing as npt
from torch import Tensor

from layerscope.measure.pending import NO, Pending
from layerscope.measure.pinned_ring import on_host

Slopes = npt.NDArray[np.float64]

_FEWEST, _ROWS = 8, 256
"""Rows, at least and at most."""

_CLOSE = 1e-4
_MOST = 0.9
"""Of the rows: of a bounded loss some have no gradient."""

_LEAST = 0.5
"""Discounts are nearer to 1."""


class Bootstrapped:
    """Compares the gradients that come to two outputs of a network in one backward pass.

    The loss of a value z of a state and a target r + d z' of the next one has the slopes g on z and
    -d g on z', where z' has a gradient, and 0 on z' where an episode ends. So one is the other
    times one number between -1 and 0, row for row. Views of one sample, or the two inputs of a
    critic, have it at -1.
    """

    def __init__(self) -> None:
        self._before: Pending[Slopes | None] | None = None
        self._outputs = 0

    def compare(self, gradient: Tensor, given: int) -> Pending[bool]:
        """Whether this gradient is such a multiple of the one before, or that of it; from a CUDA
        device it is known later.

        Args:
            gradient: [n] or [n, actions], of which one has a gradient in each row.
            given: how many outputs the network has given since the gradient before; the loss is
                made of these, and a backward pass begins if there are any.
        """
        before, self._before = None if given else self._before, None
        self._outputs = given or self._outputs
        if self._outputs < 2 or gradient.ndim not in (1, 2) or len(gradient) < _FEWEST:
            return NO
        some = on_host(gradient.detach()[:_ROWS].clone())  # clipping may change it in place
        self._before = now = some.then(_slopes)
        return NO if before is None else Pending(_is_one_discounted, before, now)


def _slopes(gradient: Tensor) -> Slopes | None:
    """The one slope of each row; None if a row has several."""
    slopes = gradient.double().numpy().reshape(len(gradient), -1)
    if np.count_nonzero(slopes, axis=1).max() > 1:
        return None
    return slopes.sum(1)


def _is_one_discounted(before: Pending[Slopes | None], now: Pending[Slopes | None]) -> bool:
    one, other = before.get(), now.get()
    if one is None or other is None or len(one) != len(other):
        return False
    return _is_discounted(other, one) or _is_discounted(one, other)


def _is_discounted(later: Slopes, now: Slopes) -> bool:
    told = (later != 0) & (now != 0)
    if np.count_nonzero(later[now == 0]) or told.sum() < _FEWEST or (now != 0).mean() < _MOST:
        return False
    discounts = -later[told] / now[told]
    discount = np.median(discounts)
    same = np.abs(discounts - discount).max() <= _CLOSE
    return bool(same and _LEAST < discount < 1 - _CLOSE / 2)
