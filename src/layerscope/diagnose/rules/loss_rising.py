"""A loss that rises step by step."""

from dataclasses import replace

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.questions.larger_targets import growth_of_an_error
from layerscope.diagnose.questions.loss_terms import may_be_of_terms, without_what_grew_beside
from layerscope.diagnose.questions.pace import median_update
from layerscope.diagnose.questions.patience import IF_OWN_TARGETS, may_have_own_targets
from layerscope.diagnose.questions.solved import guessing_among_candidates

_RISING = Advice(
    "the loss rises from the start, steadily and by small steps: it is {value:.3g} times what it "
    "was (limit {threshold:g})",
    "check the sign of the loss, or of the update (maximize=True, p += lr * p.grad): each step "
    "goes up",
)
_MAXIMIZES = Advice(
    "the optimizer makes the loss as large as it can (maximize=True): it is {value:.3g} times what "
    "it was",
    "maximize=False for a loss; only a reward is to be made large",
)
_OF_ITS_OWN_TARGETS = Advice(
    _RISING.explanation,
    f"{IF_OWN_TARGETS}; else check the sign of the loss, or of the update (maximize=True, p += lr "
    "* p.grad)",
)
_SURE = 3.0
_TERMS = 10.0  # times the start, of a loss that may have a term that grows
_SMALL = -1.5  # log10 of update / weight: below, a step is no leap
_LEAP = 0.1
"""Update / weight of a layer: larger is a leap, whatever the others do, which may be saturated."""


@rule_of_run("loss_rising")
def loss_rising(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Mean of the last 20 losses / that of the first 5, where it never was below and rises beyond
    chance, by updates that are small beside the weights: not a leap, but the wrong direction. Or
    whatever the updates where an optimizer is told to maximize a cross-entropy or an error. Of
    targets that a network has a part in making: Sutton and Barto 2018, section 6.5.
    """
    t = thresholds
    curve = memory.loss_curve.of(figures)
    level = curve.level * without_what_grew_beside(figures, memory)
    values = np.where(curve.start > 0, level / curve.start, np.nan)
    updates = median_update(figures, memory)
    before = memory.of_run("level", 1)
    levels = np.append(before, curve.level)
    before[0] = levels[-1]
    rising = levels[1:] > levels[:-1]
    of_terms = may_be_of_terms(figures, memory)
    limit = np.where(of_terms, _TERMS, t.loss_rising) * growth_of_an_error(figures, memory)
    above = (values > limit) & (level - curve.start > _SURE * curve.noise)
    above &= ~(curve.level < guessing_among_candidates(figures, memory))
    never_below = curve.lowest >= curve.start - curve.noise
    ill = above & never_below & rising & curve.judged & ~(updates > _SMALL)
    ill &= ~memory.ever("leapt", (figures["update_to_weight"] > _LEAP).any(axis=1))
    upward = np.where(figures["loss_negated"] == 1, 0.0, figures["maximize"])
    upward[np.isnan(figures["loss_kind"]) | (figures["loss_kind"] == 0)] = np.nan
    is_upward = memory.known("upward", upward) == 1
    ill |= is_upward & (values > 1)
    of_own_targets = may_have_own_targets(figures, memory)
    return Symptoms.of_run(
        "loss",
        values,
        np.where(ill, 2, 0),
        _RISING,
        _MAXIMIZES,
        replace(_RISING, limits=(np.nan, _TERMS, np.nan)),
        _OF_ITS_OWN_TARGETS,
        limits=(np.nan, t.loss_rising, np.nan),
        source="gradient descent goes down for a step that is small enough",
        lasting=2 * t.lasting,
        cause=np.select((is_upward, of_terms, of_own_targets), (1, 2, 3), 0),
    )
