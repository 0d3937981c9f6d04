"""Steps in Trackio."""

from pathlib import Path
from typing import Any

from layerscope.diagnose.findings.finding import Finding
from layerscope.sinks.sink import StepRecord
from layerscope.sinks.tracked import ALERTS, TrackerSink, tracked


class TrackioSink(TrackerSink):
    """Logs to a run of Trackio: histograms as `trackio.Histogram`, scalars, and findings as alerts.

    Args:
        run: what `trackio.init` gave. Default: the run that is active when the training begins;
            without one, or where `init` is given, a run is made, named after the run's folder, with
            the training loss, which the end of the training finishes.
        every_n_steps: as for `Sink`, at least 1. Default 100: a record of ten layers takes Trackio
            3 ms.
        init: arguments of `trackio.init`, such as `project="nets"`, by default `layerscope`.

    Raises:
        ModuleNotFoundError: trackio is not installed.
        ValueError: an argument is out of its bounds.
    """

    def __init__(self, run: Any = None, *, every_n_steps: int = 100, **init: Any) -> None:
        super().__init__("trackio", run, every_n_steps, init)

    def open(self, folder: Path, resumed_at: int | None) -> None:
        """Find the run, or make one."""
        import trackio
        from trackio.context_vars import current_run

        self._run = self._given or (None if self._init else current_run.get())
        self._is_own = self._run is None
        if self._is_own:
            resume = "never" if resumed_at is None else "allow"
            usual = {"project": "layerscope", "name": folder.name, "resume": resume}
            self._run = trackio.init(**(usual | self._init))

    def write(self, record: StepRecord) -> None:
        """Log a step."""
        import trackio

        values = tracked(record, is_own=self._is_own, histogram=trackio.Histogram)
        self._run.log(values, step=record.step)

    def write_finding(self, finding: Finding) -> None:
        """Send an alert."""
        import trackio

        self._run.alert(
            f"{finding.severity}: {finding.rule} in {finding.layer}",
            f"{finding.explanation}. To change: {finding.remedy}",
            level=trackio.AlertLevel[ALERTS[finding.severity]],
            step=finding.step,
        )
