"""Figures become findings: which layer, since which step, why, and what to change. No torch."""

from layerscope.diagnose.findings.finding import Finding, Findings, worst_by_layer
from layerscope.diagnose.findings.severity import SEVERITIES
from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import RULES, Rule, rule, rule_of_run, rule_with_memory, without
from layerscope.diagnose.run_judge import Judge
from layerscope.diagnose.symptoms import Advice, Case, Symptoms, graded
from layerscope.diagnose.thresholds import Thresholds

# isort: split
# Once all of this is there: a rule imports it from here, as one of a user's does.
from layerscope.diagnose import rules as _rules  # noqa: F401  registers them

__all__ = [
    "RULES",
    "SEVERITIES",
    "Advice",
    "Case",
    "Figures",
    "Finding",
    "Findings",
    "Judge",
    "LayerFacts",
    "Memory",
    "Rule",
    "Symptoms",
    "Thresholds",
    "graded",
    "rule",
    "rule_of_run",
    "rule_with_memory",
    "without",
    "worst_by_layer",
]
