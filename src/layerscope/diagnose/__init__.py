"""Observations become verdicts: pure rules over measured figures, no torch."""

from layerscope.diagnose.health import Outputs, Thresholds, Verdict, judge

__all__ = ["Outputs", "Thresholds", "Verdict", "judge"]
