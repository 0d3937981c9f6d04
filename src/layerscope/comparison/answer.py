"""The answer of a comparison, in two sentences."""

import math
from collections.abc import Sequence

from layerscope.comparison.group import Group
from layerscope.comparison.loss_text import loss_text
from layerscope.comparison.run import Run
from layerscope.console.gradient_flow import flow_in_words
from layerscope.diagnose import SEVERITIES
from layerscope.diagnose.findings.severity import counted

_STANDS = {"running": "It goes on, so far", "died": "It died", "interrupted": "It was interrupted"}


def answer_of(groups: Sequence[Group], loss: str) -> tuple[str, str]:
    """Say which group trains best and which keeps signals best; of one run, what is wrong with it.

    Args:
        groups: ranked, at least one.
        loss: the name of what they are ranked by.
    """
    if len(groups) == 1 and len(groups[0].runs) == 1:
        run = groups[0].runs[0]
        return _verdict(run), f"{_loss(run, loss)}{_gradient(run)}."
    return _best_loss(groups, loss), _best_signal(groups)


def _best_loss(groups: Sequence[Group], loss: str) -> str:
    best = groups[0]
    median, count = best.median("loss"), best.estimates["loss"].count
    if math.isnan(median):
        return "No loss was logged."
    if math.isinf(median):
        return f"Every training blew up: no group ends with a finite {loss}."
    of = f"median of {count} seeds" if count > 1 else "one seed"
    ends = f"{best.label} ends with the lowest {loss}: {loss_text(median)} ({of})"
    if len(groups) == 1:
        return f"{ends}; there is nothing to compare it with."
    second = groups[1]
    if not math.isfinite(second.median("loss")):
        return f"{ends}; no other group ends with a finite one."
    behind = second.behind
    if behind is None:
        gap = loss_text(second.median("loss") - median)
        return (
            f"{ends}; {second.label} is {gap} behind, and whether that is more than the luck of "
            "the seed cannot be told from one."
        )
    ahead = f"{ends}; {second.label} is {loss_text(behind.mean)} behind on average"
    interval = f"95 % interval {loss_text(behind.low)} to {loss_text(behind.high)}"
    if behind.certain:
        return f"{ahead}, which is more than the luck of the seeds ({interval})."
    tied = sum(each.behind is not None and not each.behind.certain for each in groups[2:])
    more = f", and {tied} more cannot either" if tied else ""
    return f"{ahead}, which cannot be told from the luck of the seeds ({interval}){more}."


def _best_signal(groups: Sequence[Group]) -> str:
    known = [each for each in groups if not math.isnan(each.median("signal_distance"))]
    if not known:
        return "No run wrote down its layers' gradients, so nothing can be said about signals."
    best = min(known, key=lambda group: group.median("signal_distance"))
    says = _signal(best)
    if len(groups) == 1:
        return f"{says[0].upper()}{says[1:]}."
    return f"{best.label} keeps activations and gradients best: {says}."


def _signal(group: Group) -> str:
    start, end = group.median("gradient_factor_start"), group.median("gradient_factor_end")
    parts = [
        f"on its way back a layer multiplies the gradient by {start:.2f} at the start and "
        f"{end:.2f} at the end"
    ]
    for name, what in (("saturated", "of the outputs saturated"), ("dead", "of the units dead")):
        share = group.median(name)
        if not math.isnan(share):
            parts.append(f"{100 * share:.1f} % {what}")
    return " with ".join([parts[0], " and ".join(parts[1:])]) if len(parts) > 1 else parts[0]


def _verdict(run: Run) -> str:
    if run.findings is None:
        return "This run has not been judged: it has neither diagnosis.json nor figures of layers."
    told = counted([str(each["severity"]) for each in run.findings])
    if not run.findings:
        return f"{told.capitalize()}: no rule has anything to say about this run."
    # They stand in the order in which to mend them: what is worse may follow from what is before.
    serious = (each for each in run.findings if each["severity"] in SEVERITIES[1:])
    first = next(serious, run.findings[0])
    return f"{told.capitalize()}: {str(first['explanation']).removesuffix('.')}."


def _loss(run: Run, loss: str) -> str:
    last = run.measures["loss"]
    if math.isnan(last):
        return "No loss was logged"
    if math.isinf(last):
        return f"Training blew up: its {loss} is not finite"
    return f"{_STANDS.get(run.state, 'It ends')} with a {loss} of {loss_text(last)}"


def _gradient(run: Run) -> str:
    factor = run.measures["gradient_factor_start"]
    return "" if math.isnan(factor) else f". At the start {flow_in_words(factor)}"
