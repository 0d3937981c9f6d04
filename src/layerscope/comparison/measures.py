"""What one run comes to: the numbers by which runs are compared."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from layerscope.comparison.history import History
from layerscope.diagnose.measured.figures import Array

MEASURES: Mapping[str, str] = {
    "loss": "the last val/loss; of runs without validation, the training loss over the last tenth",
    "signal_distance": (
        "decades by which a layer changes or loses the gradient, mean of start and end: "
        "|log10 gradient factor| - log10(1 - saturated) - log10(1 - dead); 0 is ideal"
    ),
    "gradient_factor_start": (
        "what one hidden layer multiplies the RMS of d loss / d activation by on its way back, at "
        "the first step: geometric mean over depth; below 1 it vanishes, above it explodes"
    ),
    "gradient_factor_end": "the same at the end",
    "saturated": "share of saturated outputs at the end, mean over hidden layers",
    "saturated_worst": "the same of the layer that has most",
    "dead": "dead units / units at the end, over all layers where that was judged",
    "dead_worst": "the same of the layer that has most",
    "update_ratio": "log10 RMS(update) / RMS(weight), median over the run and layers; -3 is usual",
    "first_finding": "the step of the first finding that is a warning or worse; infinite if none",
}
"""By name, and what it is; NaN where a run cannot tell. The end: each layer's last ten steps."""

_LARGEST_SHARE = 0.999  # a layer that is saturated as a whole counts as three decades


def measures_of(
    history: History | None, loss: float, findings: Iterable[Mapping[str, Any]] | None
) -> dict[str, float]:
    """All of `MEASURES` for one run.

    Args:
        history: None where the run wrote no figures.
        loss: as `MEASURES` says.
        findings: as diagnosis.json has them; None if nobody judged the run.
    """
    measures = dict.fromkeys(MEASURES, math.nan) | {"loss": loss}
    measures["first_finding"] = _first_step(findings)
    if history is None:
        return measures
    start, end, hidden = history.start, history.end, history.hidden
    factors = [gradient_factor(of["activation_grad_rms"][hidden]) for of in (start, end)]
    saturated = [_mean(of["saturated"][hidden]) for of in (start, end)]
    dead = _mean(end["dead"])
    # Between two numbers both known or a hole at one end: what is known of start and end.
    distances = [
        signal_distance(factors[0], saturated[0], math.nan),
        signal_distance(factors[1], saturated[1], dead),
    ]
    known = [distance for distance in distances if not math.isnan(distance)]
    updates = history.of["update_to_weight"]
    updates = updates[updates > 0]  # false for NaN
    return measures | {
        "signal_distance": float(np.mean(known)) if known else math.nan,
        "gradient_factor_start": factors[0],
        "gradient_factor_end": factors[1],
        "saturated": saturated[1],
        "saturated_worst": _largest(end["saturated"][hidden]),
        "dead": dead,
        "dead_worst": _largest(end["dead"]),
        "update_ratio": float(np.median(np.log10(updates))) if updates.size else math.nan,
    }


def gradient_factor(profile: Array) -> float:
    """What a layer multiplies the gradient by on its way back, the geometric mean over a profile.

    Args:
        profile: RMS of d loss / d activation of each hidden layer, the first layer first.

    0 where the first layer receives nothing; NaN for fewer than two layers that are known.

    >>> gradient_factor(np.array([0.25, 0.5, 1.0], np.float32))
    0.5
    """
    known = np.flatnonzero(~np.isnan(profile))
    if known.size < 2 or profile[known[-1]] == 0:
        return math.nan
    ratio = float(profile[known[0]]) / float(profile[known[-1]])
    return float(ratio ** (1 / (known[-1] - known[0])))


def signal_distance(factor: float, saturated: float, dead: float) -> float:
    """Decades by which a layer changes or loses the gradient; a share that is not known is 0.

    >>> round(signal_distance(0.5, 0.2, float("nan")), 3)
    0.398
    """
    if math.isnan(factor):
        return math.nan
    changed = abs(math.log10(factor)) if factor > 0 else math.inf
    shares = [0.0 if math.isnan(share) else share for share in (saturated, dead)]
    return changed - sum(math.log10(1 - min(share, _LARGEST_SHARE)) for share in shares)


def _first_step(findings: Iterable[Mapping[str, Any]] | None) -> float:
    if findings is None:
        return math.nan
    steps = [each.get("step") for each in findings if each.get("severity") in _SERIOUS]
    return float(min((step for step in steps if isinstance(step, int)), default=math.inf))


_SERIOUS = ("warning", "critical")


def _mean(values: Array) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else math.nan


def _largest(values: Array) -> float:
    values = values[~np.isnan(values)]
    return float(values.max()) if values.size else math.nan
