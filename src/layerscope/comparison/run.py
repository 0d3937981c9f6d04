"""One run, reduced to what a comparison and a report need of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerscope.comparison.history import History
from layerscope.comparison.snapshots import Snapshots
from layerscope.events.series import ScalarSeries
from layerscope.theory import PredictionSummary

LOSSES = ("val/loss", "train/loss")
"""The scalars that are compared and drawn; runs are ranked by the first that there is. Of a run
without any of them, the one scalar that has `loss` in its name, if there is just one."""

_ENDED_EARLY = ("failed", "interrupted")


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no one truth
class Run:
    """What a run's folder says. Only `name` and `folder` are sure to be known.

    Attributes:
        name: the folder, relative to the one that is compared.
        overrides: what it was started with, by key; None if unknown.
        state: see `run_state.state_of`.
        seconds, steps: of the training.
        losses: the scalars of `LOSSES` that it has, or its only other loss, by tag.
        in_nats: whether its loss was seen to be a cross-entropy, of classes or of bits.
        history: its figures, where it wrote any.
        snapshots: its histograms at a few steps, by tag.
        findings: of diagnosis.json, or else as the rules judge its figures; None without both.
        versions: of the programs that it ran with, by name.
        measures: all of `measures.MEASURES`.
    """

    name: str
    folder: Path
    overrides: Mapping[str, str] | None
    seed: str | None
    state: str
    reason: str | None
    seconds: float | None
    steps: int | None
    losses: Mapping[str, ScalarSeries]
    in_nats: bool
    history: History | None
    snapshots: Snapshots
    prediction: PredictionSummary | None
    findings: Sequence[Mapping[str, Any]] | None
    versions: Mapping[str, str]
    measures: Mapping[str, float]

    @property
    def failed(self) -> bool:
        """Whether it ended before its time."""
        return self.state in _ENDED_EARLY
