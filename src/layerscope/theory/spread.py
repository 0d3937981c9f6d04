"""How far one network of finite width strays from the prediction, which is for infinite width.

A layer's mean square is a sum over finitely many units; its error feeds the next layer. To first
order in 1 / width the errors of all layers add. Hanin and Rolnick (2018), "How to start training:
the effect of initialization and architecture", theorem 5, for the outputs; Hanin (2018), "Which
neural net architectures give rise to exploding and vanishing gradients?", theorem 1, for the
gradients: both depend on the sum of 1 / width over the layers. For relu of width n the variance
of ln |h|^2 and of ln |gradient|^2 grows by 5 / n a layer, as in Hanin and Nica (2018), "Products
of many large random matrices and gradients in deep neural networks", theorem 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerscope.theory.activations import Array
from layerscope.theory.architecture import Layer
from layerscope.theory.moments import Moments


def std_spread(layers: Sequence[Layer], variance: Array, of: Moments) -> Array:
    """Return the standard deviation of ln(std) of each layer's outputs, [depth].

    With v the squared relative error of the variance q, a layer makes of it
    v' = (sigma_w^2 E[phi^2] / q')^2 ((q G / E[phi^2])^2 v + (E[phi^4] / E[phi^2]^2 - 1) / width),
    where G = d E[phi^2] / dq. The first layer's q is exact: its inputs are given.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing, or overflow: NaN
        passed_on = (variance * of.second_growth / of.second) ** 2
        sampled = of.fourth / of.second**2 - 1
        passed_on_to_std = (variance * of.variance_growth / of.variance) ** 2
        sampled_in_std = of.central_fourth / of.variance**2 - 1
        errors = np.zeros(len(layers))
        for after in range(1, len(layers)):
            before = after - 1
            share = layers[after].sigma_w2 * of.second[before] / variance[after]
            width = layers[before].fan_out
            errors[after] = share**2 * (
                passed_on[before] * errors[before] + sampled[before] / width
            )
        widths = np.array([layer.fan_out for layer in layers])
        result: Array = np.sqrt(passed_on_to_std * errors + sampled_in_std / widths) / 2
    return result


def gradient_spread(layers: Sequence[Layer], of: Moments) -> Array:
    """Return the standard deviation of ln(RMS of the activation gradient / the last layer's).

    Through one layer |gradient|^2 gains a relative variance of 2 / fan_in, the entries being
    Gaussian, and of 3 (E[phi'^4] / E[phi'^2]^2 - 1) / fan_out, which units pass it on. What the
    errors of q do to phi' is left out.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        chosen = 3 * (of.slope_fourth / of.slope_second**2 - 1)
    steps = np.array(
        [
            2 / layer.fan_in + each / layer.fan_out
            for layer, each in zip(layers, chosen, strict=True)
        ]
    )
    behind = np.concatenate([[0.0], np.cumsum(steps[:0:-1])])[::-1]
    result: Array = np.sqrt(behind) / 2
    return result
