"""Gradients on their way back, relative to the last layer.

Schoenholz et al. (2017), "Deep information propagation", on backpropagation: forward and backward
weights count as independent, which is exact as widths grow for gradients that enter at random
(Yang 2019, "Scaling limits of wide neural networks").
"""

import numpy as np

from layerscope.theory.activations import Array
from layerscope.theory.architecture import Inputs


def gradient_logs(factors: Array) -> Array:
    """Return ln of the mean square of d loss / d outputs of each layer, 0 for the last, [depth].

    Args:
        factors: fan_out * weight_variance * E[phi'(z)^2] of each layer, [depth]: what the mean
            square is multiplied by from the layer's outputs to its inputs. With the slopes of two
            examples in place of phi'^2, the result is for the product of their gradients.
    """
    with np.errstate(divide="ignore"):  # weights of variance 0 pass nothing back
        logs = np.log(factors[:0:-1])
    return np.concatenate([[0.0], np.cumsum(logs)])[::-1]


def weight_gradient(
    inputs: Inputs,
    incoming: tuple[Array, Array],
    gradients: tuple[Array, Array],
    slopes: tuple[Array, Array],
) -> Array:
    """Return the RMS of d loss / d weights of each layer, 1 for the last, [depth].

    It is the batch's mean of delta h, with delta the gradient at z and h the layer's inputs. Its
    mean square is (1 / B) E[delta^2] E[h^2], every example with itself, and
    (1 - 1 / B) E[delta1 delta2] E[h1 h2], every example with the others.

    Args:
        incoming: E[h^2] and E[h1 h2], each [depth].
        gradients: `gradient_logs` of one example and of two, each [depth].
        slopes: E[phi'^2] and E[phi'(z1) phi'(z2)], each [depth].
    """
    own = 1 / inputs.batch
    shared = (1 - own) * inputs.gradient_correlation
    # Only ratios matter: the largest is taken out before exp can overflow.
    largest = gradients[0].max()
    with np.errstate(invalid="ignore", divide="ignore"):  # after an overflow, or without weights
        squares = own * np.exp(gradients[0] - largest) * slopes[0] * incoming[0]
        if shared > 0:
            squares += shared * np.exp(gradients[1] - largest) * slopes[1] * incoming[1]
        result: Array = np.sqrt(np.maximum(squares, 0) / squares[-1])
    return result
