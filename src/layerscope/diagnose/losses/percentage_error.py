"""An error relative to its target, such as a percentage error, by its gradient on the output."""

import numpy as np
from numpy.typing import NDArray

from layerscope.diagnose.losses.loss_factors import CLOSE, factors, near
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix

_PERCENT = 100.0
_FEWEST = 4
"""Elements: of fewer a loss may come to any value by chance."""
_NEXT_TO_NOTHING = 1e-4
"""Of the largest target. A log-normal one with a deviation of 2 has none that small."""


def percentage_error(output: Matrix, gradient: Matrix, rows: int, loss: float) -> LossView | None:
    """Loss k sum |z - y| / |y| has slopes of k / |y|, so these tell of the targets' sizes, and the
    sign of each on which side its target lies. What these come to has to be the loss.

    A divisor that is kept from 0, as by 1e-7, is taken for the target. Where such targets make all
    of the loss, more than one k fits, and targets are known but for a factor. Blind to targets of
    both signs, where outputs lie beyond the size of one that is below 0.

    Arguments as of `view_loss`, of samples that have a gradient.
    """
    size = np.abs(gradient)
    if len(output) < rows or size.size < _FEWEST or not (size > 0).all() or not loss > 0:
        return None
    if np.ptp(size) <= CLOSE * size.max():  # any absolute error
        return None
    usual = factors(output, rows)
    for factor in (*usual, *(_PERCENT * each for each in usual)):
        targets = factor / size
        # Above its target an output is larger than it, or the target is below 0.
        targets = np.where((gradient > 0) & (output < targets), -targets, targets)
        on_its_side = (output - targets) * gradient > 0
        if on_its_side.all() and near(float((size * np.abs(output - targets)).sum()), loss):
            told = _outputs_lie_beyond(output, targets)
            return LossView(Loss.PERCENTAGE_ERROR, targets=targets) if told else None
    return None


def _outputs_lie_beyond(output: Matrix, targets: Matrix) -> bool:
    """Whether most of what targets near 0 add to the slopes has an output larger than its target;
    True where none is near 0.

    Where all outputs are small beside what is taken for targets, any loss that is 1 at outputs of
    0 comes to as much, by Taylor: as of a norm of errors, divided by that of the targets.
    """
    sizes = np.abs(targets)
    slopes, beyond = 1 / sizes, np.abs(output) > sizes
    is_small = _next_to_nothing(sizes)
    return bool(slopes[is_small & beyond].sum() >= slopes[is_small & ~beyond].sum())


def _next_to_nothing(sizes: Matrix) -> NDArray[np.bool_]:
    return sizes < _NEXT_TO_NOTHING * sizes.max()


def share_of_zeros(targets: Matrix) -> float:
    """Which share of all slopes of such an error belongs to targets that are next to nothing beside
    the largest.
    """
    sizes = np.abs(targets)
    slopes = 1 / sizes
    return float(slopes[_next_to_nothing(sizes)].sum() / slopes.sum())
