"""Dropout that drops too much, at the wrong place, or when nothing is to be dropped."""

from collections.abc import Mapping

import numpy as np

from layerscope.diagnose import Case, Figures, Finding, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.losses.loss_kind import ERRORS, Loss
from layerscope.diagnose.measured.last_function import LastFunction
from layerscope.diagnose.measured.loss_curve import HALF
from layerscope.diagnose.questions.solved import left_of_chance

_DROPPED = 0.02
"""Of a batch of 32 with ten outputs that is six."""

_LATE = 4
"""Times `patience`: a dropout makes learning slower, and that is no harm."""


@rule_of_run("dropout_high", looks_at="dropout")
def dropout_high(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """The largest probability of a dropout; or the share of outputs that one after, or right
    before, the last layer has dropped: what it drops no layer can make good.
    """
    t = thresholds
    first, last = memory.first("first", figures["dropout"]), memory.roles.last
    at = memory.roles.layers[last].dropout_at if last >= 0 else ""
    named = f", that of {at}" if at and (figures["dropout"] == first).any() else ""
    named = named.replace("{", "{{").replace("}", "}}")
    values = figures["dropout"]
    dropped = figures["output_dropped"] > _DROPPED
    dropped &= (values > 0) & (figures["loss_kind"] > Loss.UNKNOWN)
    before = dropped & (figures["output_function"] == LastFunction.LINEAR)
    high = values > np.float32(t.dropout_high)  # 0.8 is not above 0.8
    more_than_usual = values > np.float32(t.dropout_usual)
    # What a layer of few units gives varies with what is dropped, and an error counts each bit.
    of_errors = np.isin(memory.known("kind", figures["loss_kind"]), ERRORS)
    held_up = of_errors & more_than_usual & (left_of_chance(figures, memory) > HALF)
    held_up &= (memory.loss_curve.of(figures).known >= _LATE * t.patience) & ~high
    return Symptoms.of_cases(
        "network",
        values,
        Case(
            dropped & ~before,
            "{value:.0%} of the network's outputs are dropped (limit {threshold:.0%}): a dropout "
            "stands after its last layer",
            "no dropout after the last layer: it belongs before it",
            _DROPPED,
            value=figures["output_dropped"],
        ),
        Case(
            before & ~more_than_usual,
            "{value:.0%} of the network's outputs are 0 (limit {threshold:.0%}): a dropout before "
            "its last layer leaves nothing of some samples",
            "more features before that dropout, or a smaller probability of it",
            _DROPPED,
            value=figures["output_dropped"],
            severity=1,
        ),
        Case(
            held_up,
            f"a dropout drops {{value:.0%}} of its inputs (limit {{threshold:.0%}}){named}, and "
            "the loss is still above half of the targets' variance: a regression has all of that "
            "noise in its outputs",
            "no dropout in a regression, or a probability of 0.1; in PyTorch p is the share that "
            "is dropped, not kept",
            t.dropout_usual,
        ),
        Case(
            more_than_usual,
            f"a dropout drops {{value:.0%}} of its inputs (limit {{threshold:.0%}}){named}: little "
            "of the signal is left, and much of it is noise",
            "a probability of 0.1 to 0.5; in PyTorch p is the share that is dropped, not kept",
            (t.dropout_usual, t.dropout_high, np.nan),
            severity=np.where(high, 2, 1),
        ),
        source="Srivastava et al. 2014, section 7.3: best between 0.4 and 0.8 kept",
    )


_STAYS_ON: Mapping[str, tuple[str, str]] = {
    "NOT_TOLD": (
        "a function of torch does not know the mode of the network, and drops unless it is told "
        "`training=False`",
        "F.dropout(x, p, training=self.training), or an nn.Dropout(p) made in __init__; if it is "
        "meant, as for Monte Carlo dropout, training=True says so",
    ),
    "TOLD_OTHERWISE": (
        "what its call is told of the mode is not that of the module which it stands in",
        "training=self.training of the module that calls it; if it is meant, as for Monte Carlo "
        "dropout, training=True says so",
    ),
    "FUSED": (
        "scaled_dot_product_attention drops `dropout_p` whatever the mode of the network",
        "dropout_p=p if self.training else 0.0",
    ),
    "NOT_REGISTERED": (
        "it is made anew in forward, or kept where the network does not know of it, and eval() "
        "does not reach it",
        "self.dropout = nn.Dropout(p) in __init__, and self.dropout(x) in forward",
    ),
    "MEANT": (
        "its call says `training=True`",
        "change nothing if it is meant, as for Monte Carlo dropout, whose outputs are averaged "
        "over several passes; else training=self.training",
    ),
}


def dropout_in_evaluation(why: str, probability: float, where: str, step: int) -> Finding:
    """The finding of a dropout that is on in a pass of a network in evaluation mode.

    Args:
        why: a name of `StaysOn`.
        probability: the share that it drops.
        where: its module, "" if it is in none.
        step: after which it was seen.
    """
    because, remedy = _STAYS_ON[why]
    return Finding.of_no_figures(
        "dropout_high",
        "network",
        step,
        severity="note" if why == "MEANT" else "warning",
        value=probability,
        source="torch.nn.functional.dropout: training is True unless it is told; Gal and "
        "Ghahramani 2016 for what is meant",
        explanation=f"a dropout of {where or 'the network'} drops {probability:.0%} in evaluation "
        f"mode too, so that equal inputs get unequal outputs: {because}",
        remedy=remedy,
    )
