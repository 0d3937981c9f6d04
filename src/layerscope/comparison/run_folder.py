"""A run's folder, read: its event files, and the JSON and YAML beside them, as far as they go."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from layerscope.comparison.history import History, history_of
from layerscope.comparison.measures import measures_of
from layerscope.comparison.overrides import overrides_of, seed_of
from layerscope.comparison.run import LOSSES, Run
from layerscope.comparison.snapshots import snapshots_of
from layerscope.diagnose import Figures, Judge
from layerscope.diagnose.losses.loss_kind import OF_BITS, OF_CLASSES
from layerscope.events.reader import RunEvents, read_run
from layerscope.events.series import ScalarSeries
from layerscope.events.summaries import PLUGIN
from layerscope.process_identity import ProcessIdentity
from layerscope.run_state import DIAGNOSIS, state_of
from layerscope.sinks.figures_event import PREDICTION, figures_of
from layerscope.theory import PredictionSummary
from layerscope.whole_file import read_json

_IN_NATS = (*OF_CLASSES, *OF_BITS)


def run_of(folder: Path, name: str) -> Run | None:
    """Read a run's folder; None for the run of another tool.

    Raises:
        CorruptEventFileError: an event file is corrupt.
        OSError: an event file cannot be read.
    """
    status = _json(folder / "status.json")
    events = _events(folder)
    if status.get("state") is None and not (events and _is_ours(events)):
        return None
    overrides = overrides_of(folder, status.get("overrides"))
    findings = _json(folder / DIAGNOSIS).get("findings")
    figures = figures_of(events) if events else None
    if isinstance(findings, list):
        findings = [each for each in findings if isinstance(each, dict)]
    else:
        findings = _judged(figures) if figures is not None else None
    history = history_of(figures) if figures is not None and len(figures.steps) else None
    losses = _losses(events.scalars, figures) if events else {}
    versions = status.get("versions")
    told = None if status.get("state") is None else str(status["state"])
    state = state_of(folder, told, ProcessIdentity.of_json(status.get("process")))
    reason = None if status.get("reason") is None else str(status["reason"])
    if state == "died":
        last = "the first step" if history is None else f"step {history.edges[-1]:g}"
        reason = f"died at {last}: its process has ended without a word"
    return Run(
        name=name,
        folder=folder,
        overrides=overrides,
        seed=seed_of(folder, overrides),
        state=state,
        reason=reason,
        seconds=_number(status.get("seconds")),
        steps=_steps(status, losses, history),
        losses=losses,
        in_nats=figures is not None and bool(np.isin(figures["loss_kind"], _IN_NATS).any()),
        history=history,
        snapshots=snapshots_of(events.histograms) if events else {},
        prediction=_prediction(events) if events else None,
        findings=findings,
        versions=versions if isinstance(versions, dict) else {},
        measures=measures_of(history, _last_loss(losses, status), findings),
    )


def _events(folder: Path) -> RunEvents | None:
    try:
        return read_run(folder)
    except FileNotFoundError:  # it failed before its first step
        return None


def _judged(figures: Figures) -> list[dict[str, Any]]:
    """What the rules say, with the thresholds that they have if nobody sets any."""
    judge = Judge(figures.layers)
    judge.look(figures)
    return [finding.as_json() for finding in judge.findings]


def _losses(
    scalars: Mapping[str, ScalarSeries], figures: Figures | None
) -> dict[str, ScalarSeries]:
    """The losses of `LOSSES`; without any, the only scalar that a loss is likely to be, or, where
    a logger of the user's wrote elsewhere, what backward started from.
    """
    known = {tag: scalars[tag] for tag in LOSSES if tag in scalars}
    likely = [tag for tag in scalars if "loss" in re.split(r"[^a-z]+", tag.lower())]
    if known or len(likely) == 1:
        return known or {likely[0]: scalars[likely[0]]}
    if figures is None:
        return {}
    seen = ~np.isnan(figures["loss"])
    loss = ScalarSeries(figures.steps[seen], figures["loss"][seen].astype(np.float64))
    return {"train/loss": loss} if seen.any() else {}


def _is_ours(events: RunEvents) -> bool:
    return f"{PLUGIN}/layers" in events.documents or any(
        tag.startswith("activation/") for tag in events.histograms
    )


def _json(path: Path) -> dict[str, Any]:
    """The object in a file; an empty one where there is none, or it is torn."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _prediction(events: RunEvents) -> PredictionSummary | None:
    if PREDICTION not in events.documents:
        return None
    try:
        prediction = PredictionSummary.of_json(json.loads(events.documents[PREDICTION].texts[0]))
    except (ValueError, KeyError, TypeError, AttributeError):  # of another version
        return None
    return prediction if prediction.depth else None


def _last_loss(losses: Mapping[str, ScalarSeries], status: Mapping[str, Any]) -> float:
    """The number that runs are ranked by; infinite where training blew up, NaN if unknown."""
    if "val/loss" in losses:
        last = float(losses["val/loss"].values[-1])
    elif _number(status.get("val/loss")) is not None:
        last = float(status["val/loss"])
    elif losses:
        values = next(iter(losses.values())).values
        last = float(np.mean(values[-max(len(values) // 10, 1) :]))
    else:
        return math.nan
    return last if math.isfinite(last) else math.inf


def _steps(
    status: Mapping[str, Any], losses: Mapping[str, ScalarSeries], history: History | None
) -> int | None:
    if isinstance(status.get("steps"), int):
        return int(status["steps"])
    if history is not None:
        return int(history.edges[-1])
    return max((int(series.steps[-1]) for series in losses.values()), default=None)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
