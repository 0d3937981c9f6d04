"""Where one layer does not do to what it is given what theory says it does.

Far from the input, one network strays so far from the mean of all that a layer with weights twice
too large is lost in it. But from one layer to the next there is little to stray: here each layer is
judged by what its neighbour was measured to hand it.
"""

from collections.abc import Sequence

import numpy as np

from layerscope.theory.activations import Activation, Array, activation_named
from layerscope.theory.departure import Departure, far_off
from layerscope.theory.moments import moments
from layerscope.theory.prediction_summary import PredictionSummary

TOLERANCE = 0.1
"""In ln, from one layer to the next, for what two moments do not say of a batch."""

SPREADS = 3
"""Standard deviations of one layer's draw of the weights that are added to the tolerance.

Measured on the names, 5 x 100, each init with each activation that it has, seeds 0 to 9: nothing
is further off than 0.83 of what both allow together, and tanh nothing further than 0.3.
"""

_RANGE = np.geomspace(1e-30, 1e12, 841)  # of variances: 20 a decade
_LOG_RANGE = np.log(_RANGE)


def steps_off(
    summary: PredictionSummary, std: Sequence[float], activation_grad: Sequence[float]
) -> list[Departure]:
    """Compare each layer with the one before it, and each gradient with the one behind it.

    Of outputs: the std that theory gives a layer whose inputs have the std that was measured. Of
    gradients: the ratio to the next layer's, so that the departure of hidden layer l is by the
    weights of l + 1. What is not finite on either side is left out.

    Args:
        summary: of the network, with layers.
        std: of each hidden layer's outputs, [depth].
        activation_grad: RMS of d loss / d outputs of each, [depth], in any unit.

    Returns:
        Departures: of "std" in the order of the layers, then of "activation_grad" from the last
        layer to the first; `predicted` is given the neighbour, in the unit of `measured`.
    """
    if summary.phase is None:
        return []
    phi = activation_named(summary.phase.activation)
    stds, gradients = np.asarray(std, float), np.asarray(activation_grad, float)
    sigma_w2, widths = np.array(summary.sigma_w2), np.array(summary.width)
    with np.errstate(all="ignore"):  # what comes out NaN is left out
        incoming = np.append(summary.second_moment, _second(phi, stds[:-1]))
        variance = sigma_w2 * incoming + np.array(summary.bias_variance)
        known = (variance > 0) & (variance < np.inf)
        of = moments(phi, np.where(known, variance, 1.0))
        predicted = np.where(known, np.sqrt(of.variance), np.nan)
        spread = np.sqrt((of.central_fourth / of.variance**2 - 1) / widths) / 2
        forward = far_off("std", stds, predicted, TOLERANCE + SPREADS * spread)

        # Through layer l + 1, from its outputs to its inputs: 2 / fan_in of the Gaussian entries
        # and three times the error of which units pass the gradient on, as in `spreads`.
        chi = widths[1:] / widths[:-1] * sigma_w2[1:] * of.slope_second[1:]
        chosen = (of.slope_fourth / of.slope_second**2 - 1)[1:] / widths[1:]
        spread = np.sqrt(2 / widths[:-1] + 3 * chosen) / 2
        predicted = np.where(known[1:], np.sqrt(chi) * gradients[1:], np.nan)
        bounds = TOLERANCE + SPREADS * spread
        backward = far_off("activation_grad", gradients[:-1], predicted, bounds)
    return forward + backward[::-1]


def _second(phi: Activation, std: Array) -> Array:
    """E[phi^2] of a layer whose outputs have this std; NaN if no variance in the range does it."""
    of = moments(phi, _RANGE)
    log_stds = np.maximum.accumulate(np.log(of.variance) / 2)
    # Saturated: one draw's std may be a little above what any variance gives.
    above = np.nan if phi.saturates_beyond is None else None
    at = np.interp(np.log(std), log_stds, _LOG_RANGE, left=np.nan, right=above)
    return np.where(np.isfinite(std), np.exp(np.interp(at, _LOG_RANGE, np.log(of.second))), np.nan)
