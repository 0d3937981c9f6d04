"""The init that theory would choose for a network, in place of the one it has."""

from dataclasses import dataclass
from math import ceil, sqrt

from layerscope.theory import NoCriticalPoint, Prediction, critical, mlp, predict

_BIAS_STD = 0.004483  # conf/init/critical.yaml's
_SMALL_CHANGE = 2.0  # of the gradient from end to end, which no optimizer minds
_LARGE_SPREAD = 0.69  # of ln(gradient): a third of the draws is off by more than a factor of 2


@dataclass(frozen=True, slots=True)
class Choice:
    """An init by its settings.

    Attributes:
        overrides: what to add to the command line, such as `init=critical`; empty to keep the one
            that there is.
        sentence: that and why, for a person to read.
    """

    overrides: tuple[str, ...]
    sentence: str


def choice(prediction: Prediction, norm: str | None = None) -> Choice:
    """Return the init that theory would choose, with what it would change.

    It keeps a critical one, and any in a network too shallow for it to matter: its signals arrive
    and its gradient changes by less than a factor of 2 from end to end. Else it takes `critical`,
    or, where one draw of Gaussian weights strays too far from another, `orthogonal`. Where a norm
    follows the weights, their variance makes no difference.
    """
    if norm is not None:
        told = f"The {norm} norm sets the variance, whatever the init: theory has none to choose."
        return Choice((), told)
    change, depth = prediction.activation_grad[0], len(prediction.layers)
    if prediction.phase.verdict == "critical":
        sentence = "Theory would choose no other weight variance."
        if prediction.grad_spread[0] > _LARGE_SPREAD:
            sentence += (
                f" For a width this small it is deep, {prediction.grad_spread[0]:.2f} in "
                "ln(gradient) from draw to draw: wider layers, or orthogonal weights, bring that "
                "down."
            )
        return Choice((), sentence)
    if depth <= prediction.phase.survives and 1 / _SMALL_CHANGE < change < _SMALL_CHANGE:
        return Choice(
            (), "Theory would keep this init: the network is too shallow for it to matter."
        )
    first = prediction.layers[0]
    overrides, bias_std = ["init=critical"], _BIAS_STD
    try:
        point = critical(first.activation, bias_std**2)
    except NoCriticalPoint as error:
        bias_std = ceil(1e3 * sqrt(error.bias_variance)) / 1e3
        overrides.append(f"init.bias_std={bias_std:g}")
        point = critical(first.activation, bias_std**2)
    sizes = [first.fan_in, *(layer.fan_out for layer in prediction.layers)]
    layers = mlp(sizes, point.activation, point.sigma_w2, point.bias_variance)
    then = predict(layers, prediction.inputs)
    if then.grad_spread[0] > _LARGE_SPREAD:
        overrides = ["init=orthogonal", f"init.bias_std={bias_std:g}"]
    return Choice(
        tuple(overrides),
        f"Theory would choose {' '.join(overrides)}: weights of variance {point.sigma_w2:.4g} / "
        f"fan_in, and the first layer's gradient {then.activation_grad[0]:.2g} times the last's.",
    )
