"""A record as trackers take it: values by name, for one call."""

from collections.abc import Callable
from typing import Any

from layerscope.diagnose.severity import SEVERITIES
from layerscope.sinks.sink import StepRecord

ALERTS = dict(zip(SEVERITIES, ("INFO", "WARN", "ERROR"), strict=True))
"""The level of an alert for each severity."""


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
