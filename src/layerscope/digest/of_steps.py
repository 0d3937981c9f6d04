"""What a digest says beside layers: loss, learning rate, optimizer, inputs, output, network."""

import math
from typing import Any

import numpy as np

from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.measured.figures import Array, Figures
from layerscope.diagnose.measured.loss_curve import FIRST, WINDOW
from layerscope.digest.bounded import number

AS_LAST_SEEN = {
    "inputs": (
        *("input_rms", "input_largest", "input_feature_ratio"),
        *("input_feature_spread", "input_nonfinite", "inputs_normalized"),
    ),
    "output": (
        *("samples", "outputs", "output_min", "output_max", "output_rms", "output_rows_one"),
        *("output_columns_one", "target_min", "target_max", "target_rms"),
        *("target_std", "targets_broadcast", "labels_seen", "label_share", "label_entropy"),
    ),
    "optimizer": (*("gradients_kept", "unowned_share", "foreign", "weight_decay"), "clip_factor"),
    "network": ("dropout", "evaluation_share"),
}
"""The step figures that stand under each heading, as they were when they were last seen."""


def of_steps(figures: Figures) -> dict[str, dict[str, Any]]:
    """Figures of a run's steps by heading, None for what is not finite; unknown ones are left out.

    Args:
        figures: of at least one step.
    """
    told = {
        "loss": _loss(figures),
        "learning_rate": _learning_rate(figures),
        **{heading: _last_seen(figures, names) for heading, names in AS_LAST_SEEN.items()},
    }
    told["optimizer"]["optimizers"] = int(np.fmax.reduce(figures["optimizer"], initial=0)) + 1
    told["optimizer"]["skipped_steps"] = int((figures["skipped"] == 1).sum())
    return told


def _loss(figures: Figures) -> dict[str, Any]:
    """Start and now are means, as the rules of the loss form them."""
    loss = figures["loss"].astype(np.float64)
    finite = loss[np.isfinite(loss)]
    told: dict[str, Any] = {"not_finite_steps": int(np.isinf(loss).sum())}
    if len(finite):
        lowest = int(np.flatnonzero(loss == finite.min())[0])
        told |= {
            "start": number(finite[:FIRST].mean()),
            "now": number(finite[-WINDOW:].mean()),
            "lowest": number(finite.min()),
            "lowest_step": int(figures.steps[lowest]),
        }
    kind = _last(figures["loss_kind"])
    known = not math.isnan(kind)
    told["kind"] = Loss(int(kind)).name.lower() if known else "not_seen"
    reduction = _last(figures["loss_reduction"])
    if not math.isnan(reduction):
        told["reduction"] = number(reduction)
    return told


def _learning_rate(figures: Figures) -> dict[str, Any]:
    rate = figures["learning_rate"]
    known = rate[~np.isnan(rate)].tolist()
    if not known:
        return {}
    return {"start": number(known[0]), "now": number(known[-1]), "highest": number(max(known))}


def _last_seen(figures: Figures, names: tuple[str, ...]) -> dict[str, Any]:
    last = {name: _last(figures[name]) for name in names}
    return {name: number(value) for name, value in last.items() if not math.isnan(value)}


def _last(values: Array) -> float:
    """What was last known; NaN if nothing ever was."""
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else math.nan
