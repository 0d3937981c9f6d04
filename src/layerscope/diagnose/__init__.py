"""Observations become verdicts: pure rules over measured figures, no torch."""

from layerscope.diagnose.health import Figures, Thresholds, Verdict, judge

__all__ = ["Figures", "Thresholds", "Verdict", "judge"]
