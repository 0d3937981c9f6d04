"""diagnosis.json: findings, and per-layer figures of the first and the last step.

docs/diagnosis.schema.json is its JSON Schema, docs/diagnosis.md says what the fields mean.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

from layerscope.diagnose import Finding, Thresholds
from layerscope.measure import Moments
from layerscope.quantity import Quantity
from layerscope.record import Channel, Layer, Observation
from layerscope.run_state import DIAGNOSIS
from layerscope.theory import PredictionSummary
from layerscope.whole_file import write_whole

SCHEMA = 3

_SHORT = {"minimum": "min", "maximum": "max"}


def diagnosis_of(
    observations: Iterable[Observation],
    layers: Sequence[Layer],
    thresholds: Thresholds,
    findings: Sequence[Finding] = (),
    not_measured: Mapping[str, str] | None = None,
    prediction: PredictionSummary | None = None,
    classes: int | None = None,
    switched_off: Sequence[str] = (),
    last_look: Observation | None = None,
    state: str = "unknown",
) -> dict[str, Any]:
    """The content of diagnosis.json: plain types, None for what is unknown or not finite.

    Args:
        observations: of the steps to tell of.
        findings: in the order in which to mend them.
        not_measured: layers whose output could not be measured, and why.
        prediction: what theory says of the network at step 0: of its hidden layers, which are the
            first activation functions.
        classes: that the loss chooses from, as the judge was told.
        switched_off: rules that did not judge.
        last_look: the last step in which attention, a stream or the like was seen. If the last
            step saw none, it is given what was seen there.
        state: how the training has ended: one of `run_state.ENDS`, or "unknown".
    """
    steps = [
        {
            "step": observation.step,
            "loss": _number(observation.loss) if observation.has_loss else None,
            "layers": _layers(observation.moments(), layers),
            **_inside(observation),
            **({"incomplete": True} if observation.incomplete else {}),
        }
        for observation in observations
    ]
    if last_look is not None and steps and steps[-1]["step"] != last_look.step:
        steps[-1] |= {"looked_at": last_look.step, **_inside(last_look)}
    if prediction is not None and steps and steps[0]["step"] == 0:
        _add_predictions(steps[0], layers, prediction)
    return {
        "schema": SCHEMA,
        "state": state,
        "findings": [finding.as_json() for finding in findings],
        "steps": steps,
        "not_measured": [
            {"layer": name, "reason": reason} for name, reason in (not_measured or {}).items()
        ],
        "theory": None if prediction is None else prediction.as_json(),
        "judged_by": {
            "thresholds": asdict(thresholds),
            "classes": classes,
            "switched_off": list(switched_off),
        },
    }


def _inside(observation: Observation) -> dict[str, Any]:
    """By kind and by place, what was seen there."""
    return {
        kind: {name: seen.as_json() for name, seen in places.items()}
        for kind, places in (observation.look.inside if observation.look else {}).items()
    }


def hidden_layers(layers: Iterable[Layer], depth: int) -> list[str]:
    """The layers that a prediction of an MLP is about: its first `depth` activation functions."""
    return [layer.name for layer in layers if layer.nonlinearity is not None][:depth]


def _add_predictions(
    step: dict[str, Any], layers: Sequence[Layer], prediction: PredictionSummary
) -> None:
    """Put "predicted" beside what was measured; gradients relative to the last hidden layer's."""
    entries = {entry["layer"]: entry for entry in step["layers"]}
    columns = ("mean", "std", "std_spread", "saturated", "zeros", "activation_grad", "grad_spread")
    for position, name in enumerate(hidden_layers(layers, prediction.depth)):
        if name in entries:
            entries[name]["predicted"] = {
                column: _number(getattr(prediction, column)[position]) for column in columns
            }


def write_diagnosis(directory: str | PathLike[str], diagnosis: dict[str, Any]) -> Path:
    """Write diagnosis.json into a run's folder, whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    content = json.dumps(diagnosis, indent=1, allow_nan=False) + "\n"
    return write_whole(Path(directory) / DIAGNOSIS, content)


def _layers(measured: dict[Channel, Moments], layers: Sequence[Layer]) -> list[dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {layer.name: {"layer": layer.name} for layer in layers}
    functions = {layer.name: layer.nonlinearity for layer in layers}
    for channel, moments in measured.items():
        # A parameter with a name of its own, say 02_lstm.weight_hh_l0, is an entry of its own.
        entry = entries.setdefault(channel.layer, {"layer": channel.layer})
        function = functions.get(channel.layer)
        if channel.quantity is Quantity.ACTIVATION:
            saturated = moments.outside / moments.count if function and function.bounds else None
            entry["activation"] = {
                **_figures(moments, "mean", "std", "minimum", "maximum"),
                "saturated": saturated,
                "zeros": moments.zeros / moments.count,
            }
        elif channel.quantity.is_gradient:
            entry[channel.quantity] = _figures(moments, "mean", "std", "mean_abs", "rms")
        else:
            entry[channel.quantity] = _figures(moments, "mean", "std", "rms", "minimum", "maximum")
    return list(entries.values())


def _figures(moments: Moments, *names: str) -> dict[str, Any]:
    """The named figures of `Moments`, and how many elements are not finite."""
    known = moments.finite > 0  # of no elements the mean would be 0
    figures: dict[str, Any] = {
        _SHORT.get(name, name): _number(getattr(moments, name)) if known else None for name in names
    }
    return figures | {"nonfinite": moments.nonfinite}


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else None
