"""A measured network that is far from theory, in words: its code does not do what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

from layerscope.theory.departure import Departure, departures
from layerscope.theory.expected import Expected
from layerscope.theory.plain import rounded


def unexpected(
    expected: Expected,
    measured_std: Sequence[float | None],
    measured_grad_rms: Sequence[float | None],
    names: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return what of step 0 is further from theory than the draw of the weights explains.

    The first entry is where to look first. Of outputs, that is the first layer that departs: what
    follows it inherits. Of gradients, where no outputs depart, the last.

    Args:
        expected: of the network; if theory has nothing to say, nothing is unexpected.
        measured_std: of each hidden layer's outputs, [depth]; None or NaN where unknown.
        measured_grad_rms: RMS of d loss / d outputs of each, [depth], in any unit; likewise.
        names: of the hidden layers; without them they go by their position.

    Returns:
        Plain types: `layer` (0 the first hidden layer), `quantity` ("std" or "activation_grad",
        the latter relative to the last layer's), `predicted`, `measured`, `bound` (the factor by
        which they may differ) and `sentence`. If there are not as many hidden layers as theory was
        told, one entry: of quantity "layers", with the layer None.
    """
    if not expected.depth:
        return []
    if not expected.depth == len(measured_std) == len(measured_grad_rms):
        return [_other_depth(expected.depth, len(measured_std))]
    found = departures(expected, _numbers(measured_std), _numbers(measured_grad_rms))
    forward = [departure for departure in found if departure.quantity == "std"]
    backward = [departure for departure in found if departure.quantity != "std"]
    return [_entry(departure, expected.depth, names) for departure in forward + backward[::-1]]


def _numbers(measured: Sequence[float | None]) -> list[float]:
    return [nan if number is None else float(number) for number in measured]


def _entry(departure: Departure, depth: int, names: Sequence[str]) -> dict[str, Any]:
    d = departure
    name = names[d.layer] if names else f"hidden layer {d.layer + 1} of {depth}"
    of, unit = ("outputs", "a std") if d.quantity == "std" else ("gradient", "an RMS")
    relative = "" if d.quantity == "std" else " times the last hidden layer's"
    hint = _HINTS[d.quantity, d.measured > d.predicted]
    return {
        "layer": d.layer,
        "quantity": d.quantity,
        "predicted": rounded(d.predicted),
        "measured": rounded(d.measured),
        "bound": rounded(d.bound),
        "sentence": f"{name}: {of} of {unit} of {d.measured:.3g}{relative}, where theory expects "
        f"{d.predicted:.3g} within a factor of {d.bound:.2g}: the measured net is far from theory, "
        f"so the code does not do what its author thinks. Look for {hint}.",
    }


_HINTS = {
    ("std", True): "weights or inputs that are larger than the init says, or an activation "
    "function that is not applied",
    ("std", False): "weights or inputs that are smaller than the init says, initialised or scaled "
    "twice, or an activation function applied twice",
    ("activation_grad", True): "weights behind this layer that are larger than the init says, or a "
    "path around layers",
    ("activation_grad", False): "weights behind this layer that are smaller than the init says, or "
    "a path on which the gradient is lost",
}


def _other_depth(expected: int, measured: int) -> dict[str, Any]:
    return {
        "layer": None,
        "quantity": "layers",
        "predicted": expected,
        "measured": measured,
        "bound": 1.0,
        "sentence": f"{measured} hidden layers were measured, where theory was told of {expected}: "
        "the code does not do what its author thinks. Look for an activation function that is "
        "missing, used twice or not called as a module.",
    }
