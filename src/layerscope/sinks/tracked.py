"""What trackers have in common: a run, whose it is, and a record as values by name."""

from collections.abc import Callable
from typing import Any

from layerscope.arguments import at_least
from layerscope.diagnose.findings.severity import SEVERITIES
from layerscope.extras import require
from layerscope.sinks.sink import Sink, StepRecord

ALERTS = dict(zip(SEVERITIES, ("INFO", "WARN", "ERROR"), strict=True))
"""The level of an alert for each severity."""


class TrackerSink(Sink):
    """Logs to a run that is given, to the active one, or to one that it makes with `init`.

    Raises:
        ModuleNotFoundError: the library is not installed.
        ValueError: every_n_steps is below 1, or both a run and arguments of `init` are given.
    """

    def __init__(self, library: str, run: Any, every_n_steps: int, init: dict[str, Any]) -> None:
        require(library, type(self).__name__)
        at_least(1, every_n_steps=every_n_steps)
        self.every_n_steps = every_n_steps
        if run is not None and init:
            raise ValueError(f"run must be None beside {next(iter(init))}, got {run!r}")
        self._given, self._init = run, init
        self._run: Any = None
        self._is_own = False

    def close(self) -> None:
        """Finish the run, if it is its own."""
        run, self._run = self._run, None
        if run is not None and self._is_own:
            run.finish()


def tracked(
    record: StepRecord, *, is_own: bool, histogram: Callable[..., Any] | None = None
) -> dict[str, Any]:
    """Scalars, and histograms where the tracker has a type for them.

    Args:
        is_own: whether nobody else logs to the run: then the training loss is among them.
        histogram: W&B's type, or one that takes the same `np_histogram`.
    """
    values: dict[str, Any] = dict(record.scalars)
    if histogram is not None:
        values |= {tag: histogram(np_histogram=each) for tag, each in record.histograms.items()}
    if is_own and record.loss == record.loss:
        values["train/loss"] = record.loss
    return values
