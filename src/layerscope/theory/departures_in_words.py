"""A measured network that is far from theory, in words: its code does not do what was meant."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from layerscope.theory.departure import Departure, departures
from layerscope.theory.layer_by_layer import steps_off
from layerscope.theory.prediction_summary import PredictionSummary, rounded


def departures_in_words(
    summary: PredictionSummary,
    measured_std: Sequence[float | None],
    measured_grad_rms: Sequence[float | None],
    names: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return what of step 0 is further from theory than the draw of the weights explains.

    Layers that do not do to their neighbour's outputs or gradient what they should
    (`steps_off`); only where there are none, those that are far from the prediction for the whole
    network (`departures`), as all are where each is off by a little. The first entry is where to
    look first: of outputs the first layer, as what follows it inherits, then of gradients the last.

    Args:
        summary: of the network; if theory has nothing to say, nothing is unexpected.
        measured_std: of each hidden layer's outputs, [depth]; None or NaN where unknown.
        measured_grad_rms: RMS of d loss / d outputs of each, [depth], in any unit; likewise.
        names: of the hidden layers; without them they go by their position.

    Returns:
        Plain types: `layer` (0 the first hidden layer), `quantity` ("std" or "activation_grad"),
        `predicted` and `measured`, in one unit, `bound` (the factor by which they may differ) and
        `sentence`. If there are not as many hidden layers as theory was
        told, one entry: of quantity "layers", with the layer None.
    """
    if not summary.depth:
        return []
    if not summary.depth == len(measured_std) == len(measured_grad_rms):
        return [_other_depth(summary.depth, len(measured_std))]
    stds, gradients = _numbers(measured_std), _numbers(measured_grad_rms)
    found = steps_off(summary, stds, gradients)
    if found:
        return [_entry(departure, summary.depth, names, _STEP) for departure in found]
    found = departures(summary, stds, gradients)
    forward = [departure for departure in found if departure.quantity == "std"]
    backward = [departure for departure in found if departure.quantity != "std"]
    found = forward + backward[::-1]
    return [_entry(departure, summary.depth, names, _WHOLE) for departure in found]


def _numbers(measured: Sequence[float | None]) -> list[float]:
    return [nan if number is None else float(number) for number in measured]


_WHOLE = {
    "std": ("a std of {measured}", "for the whole network"),
    "activation_grad": ("an RMS of {measured} times the last hidden layer's", "for the network"),
}
_STEP = {
    "std": ("a std of {measured}", "from what the layer before puts out"),
    "activation_grad": ("an RMS of {measured}", "from the gradient of the layer behind it"),
}


def _entry(
    departure: Departure, depth: int, names: Sequence[str], words: Mapping[str, tuple[str, str]]
) -> dict[str, Any]:
    d = departure
    name = names[d.layer] if names else f"hidden layer {d.layer + 1} of {depth}"
    of = "outputs" if d.quantity == "std" else "gradient"
    has, given = words[d.quantity]
    return {
        "layer": d.layer,
        "quantity": d.quantity,
        "predicted": rounded(d.predicted),
        "measured": rounded(d.measured),
        "bound": rounded(d.bound),
        "sentence": f"{name}: {of} with {has.format(measured=f'{d.measured:.3g}')}, where theory, "
        f"{given}, expects {d.predicted:.3g} within a factor of {d.bound:.2g}: the measured net is "
        "far from theory, so the code does not do what its author thinks. Look for "
        f"{_HINTS[d.quantity, d.measured > d.predicted]}.",
    }


_HINTS = {
    ("std", True): "weights that are larger than the init says, or an activation function that is "
    "not applied",
    ("std", False): "weights that are smaller than the init says or scaled twice, or an activation "
    "function applied twice",
    ("activation_grad", True): "larger weights than the init says in the layer behind it, or a "
    "path around layers",
    ("activation_grad", False): "smaller weights than the init says in the layer behind it, or a "
    "path on which the gradient is lost",
}


def _other_depth(predicted: int, measured: int) -> dict[str, Any]:
    return {
        "layer": None,
        "quantity": "layers",
        "predicted": predicted,
        "measured": measured,
        "bound": 1.0,
        "sentence": f"{measured} hidden layers were measured, where theory was told of "
        f"{predicted}: the code does not do what its author thinks. Look for an activation "
        "function that is missing, used twice or not called as a module.",
    }
