"""Steps in Weights & Biases."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from layerscope.diagnose.findings.finding import Finding
from layerscope.sinks.sink import StepRecord
from layerscope.sinks.tracked import ALERTS, TrackerSink, tracked

_ID_FILE = "wandb_run_id"
"""In the run's folder: by it a training that resumes finds its W&B run."""


class WandbSink(TrackerSink):
    """Logs to a run of W&B: histograms as `wandb.Histogram`, scalars, and findings as alerts, with
    `finding/RULE` in the run's summary.

    The x axis of its charts is `axis`. A run that it makes has a row for each record, and the
    training loss. A run of yours keeps its own rows: a record goes along in the row that you log
    next, so that the `step` you count is never disturbed. Of records between two rows of yours the
    last one stays.

    Args:
        run: what `wandb.init` gave. Default: the run that is active when the training begins;
            without one, or where `init` is given, a run is made, named after the run's folder,
            which the end of the training finishes.
        every_n_steps: as for `Sink`, at least 1. Default 100: a record of ten layers keeps W&B busy
            for 3 to 8 ms.
        own_rows: True gives each record a row of its own in your run too, at once: right where no
            `run.log` of yours counts steps by `step=`. Default: in a run that it has made.
        axis: the metric that its charts have for x. Default `layerscope/step`.
        init: arguments of `wandb.init`, such as `project="nets"`, `mode="offline"`.

    Raises:
        ModuleNotFoundError: wandb is not installed.
        ValueError: an argument is out of its bounds.
    """

    def __init__(
        self,
        run: Any = None,
        *,
        every_n_steps: int = 100,
        own_rows: bool | None = None,
        axis: str = "layerscope/step",
        **init: Any,
    ) -> None:
        super().__init__("wandb", run, every_n_steps, init)
        self._own_rows, self._axis = own_rows, axis

    @property
    def is_bound(self) -> bool:
        """Whether it was told which run to log to, or to make one."""
        return self._given is not None or bool(self._init)

    def bound_to(self, run: Any, axis: str) -> WandbSink:
        """The same for a run to which nobody logs by `step=`."""
        return WandbSink(run, every_n_steps=self.every_n_steps, own_rows=True, axis=axis)

    def open(self, folder: Path, resumed_at: int | None) -> None:
        """Find the run, or make one."""
        import wandb

        self._run = self._given or (None if self._init else wandb.run)
        self._is_own = self._run is None
        if self._is_own:
            known = folder / _ID_FILE
            resumes = resumed_at is not None and known.exists()
            earlier = known.read_text(encoding="utf-8") if resumes else None
            self._run = wandb.init(**self._arguments(folder, earlier))
            known.write_text(self._run.id, encoding="utf-8")
        self._rows = self._is_own if self._own_rows is None else self._own_rows
        self.at_once = not self._rows  # or the row that it goes along in is one of later steps
        self._quantities: set[str] = set()

    def _arguments(self, folder: Path, earlier: str | None) -> dict[str, Any]:
        """Of `wandb.init`: what is not given, and not said by W&B's variables."""
        usual: dict[str, Any] = {"reinit": "create_new"}
        if earlier is not None:
            usual |= {"id": earlier, "resume": "allow"}
        if "WANDB_DIR" not in os.environ:
            usual["dir"] = str(folder)
        if "WANDB_NAME" not in os.environ:
            usual["name"] = folder.name
        return usual | self._init

    def write(self, record: StepRecord) -> None:
        """Log a step."""
        import wandb

        values = tracked(record, is_own=self._is_own, histogram=wandb.Histogram)
        quantities = {tag.partition("/")[0] for tag in values}
        for quantity in sorted(quantities - self._quantities):
            self._run.define_metric(f"{quantity}/*", step_metric=self._axis)
        self._quantities |= quantities
        values[self._axis] = record.step
        self._run.log(values, commit=self._rows)

    def write_finding(self, finding: Finding) -> None:
        """Send an alert, and note the finding in the run's summary."""
        self._run.alert(
            f"{finding.severity}: {finding.rule} in {finding.layer}"[:63],  # 64 are too many
            f"From step {finding.step}: {finding.explanation}. To change: {finding.remedy}",
            level=ALERTS[finding.severity],
        )
        self._run.summary[f"finding/{finding.rule}"] = finding.severity
