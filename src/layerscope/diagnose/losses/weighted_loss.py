"""Losses whose classes are weighted, or whose easy samples are: told by the gradient on the output.

A weight w of a class multiplies the slopes of its samples. The focal loss w (1 - q)^g (-log q) of
the probability q that a sample's own class has (Lin et al. 2017, section 3) has the slope
-w (1 - q)^g (1 - q - g q log q) on the logit of that class; g = 0 is the cross-entropy. So weights
and g are told where the slopes of each class are in one proportion to this.
"""

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.losses.loss_factors import CLOSE, alike, near
from layerscope.diagnose.losses.loss_kind import Loss, LossView, Matrix
from layerscope.diagnose.measured.figures import Flags, Series

_POWERS = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
"""The g of focal losses; Lin et al. 2017 try these."""

_FIRST = 2048
"""Samples that are compared: of so many it is no chance."""

_FEWEST, _OUTPUTS = 3, 32
"""Samples of each class, at least; and outputs, at most."""

_TINY = 1e-300

_VARIES = 0.05
"""Of a class whose outputs are all but the same any slopes are in one proportion."""


def weighted_binary(output: Matrix, gradient: Matrix) -> LossView | None:
    """A binary cross-entropy or focal loss, of logits or of probabilities, with weights of the two
    classes of each output; None of a plain cross-entropy.

    Args:
        output, gradient: [n, outputs], of samples that have a gradient. An output that has too few
            samples of a class is passed over, and all others have to be of such a loss.
    """
    z, slopes = output[:_FIRST], gradient[:_FIRST]
    bits = slopes < 0
    told = np.flatnonzero(np.fmin(bits.sum(0), (~bits).sum(0)) >= _FEWEST)[:_OUTPUTS]
    if not len(told):
        return None
    p = 1 / (1 + np.exp(-np.clip(z, -60, 60)))
    found, kind = _of_each(p, slopes, bits, told), Loss.BINARY_LOGITS
    if found is None and 0 < z.min() <= z.max() < 1:
        found, kind = _of_each(z, slopes * z * (1 - z), bits, told), Loss.BINARY
    if found is None:
        return None
    weights = np.full(gradient.shape, np.nan)
    for column, (none, one) in found.items():
        weights[:, column] = np.where(gradient[:, column] < 0, one, none)
    return LossView(kind, targets=(gradient < 0).astype(np.float64), weights=weights)


def _of_each(
    p: Matrix, slopes: Matrix, bits: Flags, columns: npt.NDArray[np.intp]
) -> dict[int, tuple[float, float]] | None:
    """The factors of class 0 and 1 in each column; None if they are of another loss, or usual."""
    found, plain = {}, True
    for column in columns.tolist():
        of_one = _weights(p[:, column], slopes[:, column], bits[:, column])
        if of_one is None:
            return None
        none, one, power = of_one
        found[column] = none, one
        plain &= not power and near(one, none)
    return None if plain else found


def _weights(p: Series, slope: Series, bits: Flags) -> tuple[float, float, float] | None:
    """The factors of class 0 and 1, and g, if the slopes on the logits are those of such a loss."""
    own = np.where(bits, p, 1 - p)
    told = (own > 1e-3) & (own < 1 - 1e-3)
    if min((told & bits).sum(), (told & ~bits).sum()) < _FEWEST:
        return None
    q = own[told]
    power = _POWERS[:, np.newaxis]
    forms = (1 - q) ** power * (1 - q - power * q * np.log(q))
    ones = bits[told]
    if not max(np.ptp(forms[0, ones]), np.ptp(forms[0, ~ones])) > _VARIES * forms[0].mean():
        return None
    ratios = np.abs(slope[told]) / forms
    parts = ratios[:, ones], ratios[:, ~ones]
    off = [np.ptp(part, axis=1) / (part.mean(1) + _TINY) for part in parts]
    best = int(np.argmin(np.fmax(*off)))
    none, one = float(np.median(ratios[best, ~ones])), float(np.median(ratios[best, ones]))
    if not (alike(ratios[best, ones]) and alike(ratios[best, ~ones])):
        return None
    if not min(none, one) > 0:  # what is left out of the loss, such as padding, is of no class
        return None
    return none, one, float(_POWERS[best])


def class_weights(labels: npt.NDArray[np.int64], weights: Series) -> dict[int, float]:
    """The weight of each class, from the factor of each sample; {} where samples of one class have
    different ones, or all classes the same.
    """
    known = np.isfinite(weights)
    if not known.any():
        return {}
    low, high = weights[known].min(), weights[known].max()
    if low > 0 and high <= (1 + CLOSE) * low:  # as of nearly all losses
        return {}
    found = {int(label): weights[known & (labels == label)] for label in np.unique(labels)}
    if not all(len(own) and alike(own) for own in found.values()):
        return {}
    medians = {label: float(np.median(own)) for label, own in found.items()}
    low, high = min(medians.values()), max(medians.values())
    return medians if low > 0 and high > (1 + CLOSE) * low else {}
