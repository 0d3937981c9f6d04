"""What there is to say of a single run, in two sentences: the verdict first."""

from __future__ import annotations

import math

from layerscope.comparison.loss_text import loss_text
from layerscope.comparison.run import Run
from layerscope.diagnose import SEVERITIES
from layerscope.diagnose.finding_cells import counted
from layerscope.diagnose.gradient_flow import flow_in_words


def answer_of_one(run: Run, loss: str) -> tuple[str, str]:
    """Say what was found wrong, the worst first, and what became of the loss and the gradient.

    Args:
        run: whatever it has.
        loss: the name of its loss.
    """
    return _verdict(run), f"{_loss(run, loss)}{_gradient(run)}."


def _verdict(run: Run) -> str:
    if run.findings is None:
        return "This run has not been judged: it has neither diagnosis.json nor figures of layers."
    told = counted([str(each["severity"]) for each in run.findings])
    if not run.findings:
        return f"{told.capitalize()}: no rule has anything to say about this run."
    # Causes come first in diagnosis.json: of equals, the first.
    worst = max(run.findings, key=lambda each: SEVERITIES.index(each["severity"]))
    return f"{told.capitalize()}: {str(worst['explanation']).removesuffix('.')}."


def _loss(run: Run, loss: str) -> str:
    last = run.measures["loss"]
    if math.isnan(last):
        return "No loss was logged"
    if math.isinf(last):
        return f"Training blew up: its {loss} is not finite"
    return f"It ends with a {loss} of {loss_text(last)}"


def _gradient(run: Run) -> str:
    factor = run.measures["gradient_factor_start"]
    return "" if math.isnan(factor) else f". At the start {flow_in_words(factor)}"
