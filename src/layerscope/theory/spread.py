"""How far one network of finite width strays from the prediction, which is for infinite width.

A layer's mean square is a sum over finitely many units; its error feeds the next layer. To first
order in 1 / width the errors of all layers add. Hanin and Rolnick (2018), "How to start training:
the effect of initialization and architecture", for the outputs; Hanin (2018), "Which neural net
architectures give rise to exploding and vanishing gradients?", for the gradients: both depend on
the sum of 1 / width over the layers. For relu of width n the variance of ln |h|^2 and of
ln |gradient|^2 grows by 5 / n a layer, as in Hanin and Nica (2018), "Products of many large random
matrices and gradients in deep neural networks". For other functions: Roberts, Yaida and Hanin
(2022), "The principles of deep learning theory", chapter 4, for the outputs, and the same
first-order reckoning for the gradients.

Orthonormal weights keep the length of what they are given, forward and back, or all of it that fits
into fewer units. What Gaussian weights lose by lengths that vary is taken out for them: their z lie
on a sphere, where a mean of f(z) varies by the part of f that is not z^2's.
"""

from collections.abc import Sequence

import numpy as np

from layerscope.theory.activations import Array
from layerscope.theory.architecture import Layer
from layerscope.theory.moments import Moments


def spreads(layers: Sequence[Layer], variance: Array, of: Moments) -> tuple[Array, Array]:
    """Return the standard deviations of ln(std) and of ln(gradient / the last's), each [depth].

    All errors below are relative. With v_l the squared error of q_l, and e the error of a mean
    over a layer's units:

    v_{l+1} = s_l^2 (g_l^2 v_l + e(phi^2)^2), s = sigma_w^2 E[phi^2] / q_{l+1} the share of q that
    is not the bias's, g = d ln E[phi^2] / d ln q. The first q is exact: its inputs are given.

    ln |gradient|^2 gains in each layer the 2 / fan_in of its Gaussian entries and the
    3 e(phi'^2)^2 of which units pass it on. An error of q moves every phi' behind it:
    m_l = d ln E[phi'^2] / d ln q + s_l g_l m_{l+1} in all.

    Orthonormal: with k = min(1, fan_out / fan_in), the part of |z|^2 that cannot vary, and r the
    share of q that comes through the weights, cov(e(f), e(h)) loses
    2 k r^2 (d ln E[f] / d ln q) (d ln E[h] / d ln q) / n, and 2 / fan_in becomes
    2 (1 - min(1, fan_in / fan_out)) / fan_in.

    Args:
        variance: q_l, [depth].
        of: expectations at q_l, each [depth].
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # nothing, or overflow: NaN
        widths = np.array([layer.fan_out for layer in layers])
        fan_ins = np.array([layer.fan_in for layer in layers])
        growth = variance * of.second_growth / of.second
        sampled = (of.fourth / of.second**2 - 1) / widths
        biases = np.array([layer.bias_variance for layer in layers])
        through = 1 - biases / variance  # the share of q that comes through the weights
        share = np.append(through[1:], 0.0)
        kept = np.array([layer.orthonormal for layer in layers]) * np.minimum(1, widths / fan_ins)
        lost = 2 * kept * through**2 / widths
        sampled = np.maximum(sampled - lost * growth**2, 0)

        errors = np.zeros(len(layers))
        for layer in range(len(layers) - 1):
            fed = growth[layer] ** 2 * errors[layer] + sampled[layer]
            errors[layer + 1] = share[layer] ** 2 * fed
        std_growth = variance * of.variance_growth / of.variance
        std_sampled = (of.central_fourth / of.variance**2 - 1) / widths
        std_sampled = np.maximum(std_sampled - lost * std_growth**2, 0)
        std: Array = np.sqrt(std_growth**2 * errors + std_sampled) / 2

        slope_growth = variance * of.slope_growth / of.slope_second
        moved = slope_growth.copy()
        for layer in range(len(layers) - 2, -1, -1):
            moved[layer] += share[layer] * growth[layer] * moved[layer + 1]
        onward = share * np.append(moved[1:], 0.0)  # what a layer's own e(phi^2) does behind it
        together = (of.value_slope / (of.second * of.slope_second) - 1) / widths
        together -= lost * growth * slope_growth
        chosen = 3 * (of.slope_fourth / of.slope_second**2 - 1) / widths - lost * slope_growth**2
        back = [layer.orthonormal * min(1, layer.fan_in / layer.fan_out) for layer in layers]
        entries = 2 * (1 - np.array(back)) / fan_ins
        gains = entries + chosen + 2 * onward * together + onward**2 * sampled
        behind = np.append(np.cumsum(gains[:0:-1])[::-1], 0.0)
        from_before = np.append(errors[1:] * moved[1:] ** 2, 0.0)
        gradient: Array = np.sqrt(np.maximum(behind + from_before, 0)) / 2
    return std, gradient
