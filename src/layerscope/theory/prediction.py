"""An architecture and an init become a Prediction: what every layer should show at step 0.

Mean-field theory of signal propagation: in a wide layer the sum over the fan-in makes every
pre-activation Gaussian, so two numbers per layer, its variance and the correlation of two
examples, tell everything else. Poole et al. (2016), "Exponential expressivity in deep neural
networks through transient chaos", for the way forward; Schoenholz et al. (2017), "Deep information
propagation", for the way back: forward and backward weights count as independent, which is exact
as widths grow for gradients that enter at random (Yang 2019, "Scaling limits of wide neural
networks").
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from layerscope.theory.activations import Activation, Array, activation_named
from layerscope.theory.architecture import Inputs, Layer, require_chain
from layerscope.theory.moments import Moments, moments, saturated_share
from layerscope.theory.pairs import pair_moments
from layerscope.theory.phase import Phase, phase_of
from layerscope.theory.spread import spreads


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


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth
class Prediction:
    """What theory expects of each layer; arrays are float64 [depth], in network order.

    Of outputs, over units and examples; exact as widths grow. Beyond float32's range outputs are
    inf and what follows from them is NaN.

    Attributes:
        layers: what the prediction is for.
        inputs: what was measured or assumed of the data.
        saturation_threshold: what `saturated` counts from.
        variance: q_l of the pre-activations.
        mean: of the outputs.
        std: of the outputs.
        saturated: share of outputs beyond the threshold; NaN where the function has not two ends.
        zeros: share of outputs that are exactly 0.
        correlation: c_l of two examples' pre-activations.
        chi: what the mean square of the gradient is multiplied by on its way back through the
            layer, from its outputs to its inputs: fan_out * weight_variance * E[phi'(z)^2].
        activation_grad: RMS of d loss / d outputs, relative to the last layer's.
        weight_grad: RMS of d loss / d weights, relative to the last layer's.
        std_spread: standard deviation of ln(std) from one draw of the weights to the next, to
            first order in 1 / width.
        grad_spread: likewise of ln(activation_grad).
        phase: where more layers like the last one would lead.
    """

    layers: tuple[Layer, ...]
    inputs: Inputs
    saturation_threshold: float
    variance: Array
    mean: Array
    std: Array
    saturated: Array
    zeros: Array
    correlation: Array
    chi: Array
    activation_grad: Array
    weight_grad: Array
    std_spread: Array
    grad_spread: Array
    phase: Phase


def predict(
    layers: Iterable[Layer], inputs: Inputs | None = None, saturation_threshold: float = 0.97
) -> Prediction:
    """Propagate the moments of the inputs through the layers, and gradients back.

    Args:
        layers: the hidden layers, in order; the loss and the logits are not looked at.
        inputs: of second moment 1 and correlation 0 if left out.
        saturation_threshold: share of the way from the middle of an activation's range to an end.

    Raises:
        ValueError: there are no layers, two do not fit, or the threshold is outside 0 to 1.
    """
    chain = require_chain(layers)
    inputs = inputs or Inputs()
    activations = [activation_named(layer.activation) for layer in chain]
    incoming, signal, expectations, slope_pairs = _forward(chain, activations, inputs)
    names = (field.name for field in fields(Moments))
    of = Moments(*(np.array([getattr(each, name) for each in expectations]) for name in names))
    variances, correlations = np.array(signal).T
    seconds, crosses = np.array(incoming).T
    pairs = np.array(slope_pairs)
    back = np.array([layer.fan_out * layer.weight_variance for layer in chain])
    chi = back * of.slope_second
    gradients = gradient_logs(chi), gradient_logs(back * pairs)
    std_spread, grad_spread = spreads(chain, variances, of)
    return Prediction(
        layers=chain,
        inputs=inputs,
        saturation_threshold=saturation_threshold,
        variance=variances,
        mean=of.mean,
        std=np.sqrt(of.variance),
        saturated=np.array(
            [
                saturated_share(activation, variance, saturation_threshold)
                for activation, variance in zip(activations, variances, strict=True)
            ]
        ),
        zeros=np.array([activation.zeros for activation in activations]),
        correlation=correlations,
        chi=chi,
        activation_grad=np.exp(gradients[0] / 2),
        weight_grad=weight_gradient(
            inputs, (seconds, crosses), gradients, (of.slope_second, pairs)
        ),
        std_spread=std_spread,
        grad_spread=grad_spread,
        phase=phase_of(activations[-1], chain[-1].sigma_w2, chain[-1].bias_variance, variances[-1]),
    )


def _forward(
    chain: Sequence[Layer], activations: Sequence[Activation], inputs: Inputs
) -> tuple[list[tuple[float, float]], list[tuple[float, float]], list[Moments], list[float]]:
    """Of each layer: second moment of one example and of two that come in; variance and correlation
    of its pre-activations; moments of what it gives; E[phi'(z) phi'(z')] of two examples.
    """
    second, cross = inputs.second_moment, inputs.second_moment * inputs.correlation
    correlation = inputs.correlation
    incoming: list[tuple[float, float]] = []
    signal: list[tuple[float, float]] = []
    expectations: list[Moments] = []
    slope_pairs: list[float] = []
    for layer, activation in zip(chain, activations, strict=True):
        incoming.append((second, cross))
        variance = layer.sigma_w2 * second + layer.bias_variance
        if 0 < variance < np.inf:  # else the correlation stays what it was
            covariance = layer.sigma_w2 * cross + layer.bias_variance
            correlation = min(covariance / variance, 1.0)
        signal.append((variance, correlation))
        expectations.append(moments(activation, variance))
        second = float(expectations[-1].second)
        cross, slope_pair = pair_moments(activation, variance, correlation)
        slope_pairs.append(slope_pair)
    return incoming, signal, expectations, slope_pairs
