"""Figures become findings: which layer, since which step, why, and what to change. No torch."""

from layerscope.diagnose import rules as _rules  # noqa: F401  registers them
from layerscope.diagnose.figures import Figures, LayerFacts
from layerscope.diagnose.finding import SEVERITIES, Finding
from layerscope.diagnose.health import Outputs, Verdict, judge
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import RULES, Rule, rule, rule_with_memory, without
from layerscope.diagnose.run_judge import Judge
from layerscope.diagnose.symptoms import Advice, Symptoms, graded
from layerscope.diagnose.thresholds import Thresholds

__all__ = [
    "RULES",
    "SEVERITIES",
    "Advice",
    "Figures",
    "Finding",
    "Judge",
    "LayerFacts",
    "Memory",
    "Outputs",
    "Rule",
    "Symptoms",
    "Thresholds",
    "Verdict",
    "graded",
    "judge",
    "rule",
    "rule_with_memory",
    "without",
]
