"""What is said of a loss that has not fallen by the end of a short training."""

from dataclasses import replace

from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.thresholds import Thresholds

_TIMES = 2
"""Times `patience`: some networks, as those with a recurrence, begin to learn as late as that."""


def with_few_steps(finding: Finding, steps: int, thresholds: Thresholds) -> Finding:
    """The finding; or, of one that tells of a loss which does not fall and blames neither small
    steps nor another finding, one that asks for more steps first: the training ended soon.

    Args:
        steps: that the whole training has taken.
    """
    by_itself = finding.rule == "loss_not_falling" and "fits one batch" in finding.remedy
    is_one = by_itself or finding.rule == "labels_without_signal"
    if finding.because or not is_one or steps >= _TIMES * thresholds.patience:
        return finding
    return replace(
        finding,
        explanation=f"{finding.explanation}; the training ended after {steps} steps",
        remedy=f"more epochs, as {steps} steps are few: see whether the loss begins to fall; else "
        + finding.remedy,
    )
