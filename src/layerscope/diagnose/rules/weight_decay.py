"""Weights that decay, or a penalty, draws to zero faster than the loss holds them."""

from functools import lru_cache

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Flags, Series
from layerscope.diagnose.measured.last_known import note_first
from layerscope.diagnose.measured.loss_curve import HALF
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.questions.solved import left_of_chance

_SHRUNK = 0.5
_FAST = 1e-3
"""Learning rate times weight decay, the share of a weight that a step takes: what a network has
learned fades over the inverse of it, in steps (Wang and Aitchison 2024, How to set AdamW's weight
decay). Published trainings have 1e-3 at most: 3e-3 times 0.3, of a vision transformer."""
_MOST = 0.5
"""Share of the loss that is none of the output's: then the penalty says where the steps go."""
_A_PART, _AT_CHANCE = 0.05, 0.9
_FEWEST = 8
"""Weights of a layer: fewer may pass 0 together."""

_SOURCE = (
    "Krogh and Hertz 1992: decay against the gradient's pull; Blundell et al. 2015, Weight "
    "Uncertainty in Neural Networks, section 3.4: the divergence is shared among the batches"
)
_REMEDY = (
    "a smaller optimizer.weight_decay (1e-4 for SGD and 1e-2 for AdamW are usual), or a smaller "
    "factor before your own penalty"
)

_OF_PENALTY = (
    "a smaller factor before your own penalty, for the optimizer has no weight_decay; if it is the "
    "divergence between a Bayesian network's weights and their prior, divide it by the number of "
    "training samples, as the loss is a mean over samples"
)
_GONE = (
    "the weights have shrunk to {value:.2g} of their size at the start (limit {threshold:g}): they "
    "are pulled to zero faster than the loss can hold them"
)
_DRAWN = (
    "the weights have shrunk to {value:.2g} of their size at the start (limit {threshold:g}), and "
    "the loss is still above half of what guessing costs: {by} pulls as strongly as the loss does"
)
_LIMITS = (np.nan, _SHRUNK, np.nan)


@rule_of_run("weights_decay_to_zero")
def weights_decay_to_zero(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Size of the median layer's weights / their size when first measured."""
    t = thresholds
    sizes = figures["weight_rms"] * memory.roles.only("trained") * _of_many(memory.roles)
    first = memory.of_layers("first")[0]
    note_first(sizes, first)
    measured = np.flatnonzero(~np.isnan(sizes).all(axis=1))
    ratios = np.sort(sizes[measured] / np.where(first > 0, first, np.nan), axis=1)  # NaN comes last
    ratios = np.pad(ratios, ((0, 0), (0, 1)), constant_values=np.nan)
    rows, known = np.arange(len(ratios)), (~np.isnan(ratios)).sum(axis=1)
    values = np.full(len(sizes), np.nan)
    values[measured] = (ratios[rows, (known - 1) // 2] + ratios[rows, known // 2]) / 2  # the median
    gone = values < t.weights_gone
    drawn = (values < _SHRUNK) & _is_drawn(figures, memory) & ~gone
    drawn &= left_of_chance(figures, memory) > HALF
    return Symptoms.of_run(
        "optimizer",
        values,
        np.where(gone | drawn, 2, 0),
        Advice(_GONE, _REMEDY),
        Advice(_DRAWN.replace("{by}", "weight decay, or a penalty,"), _REMEDY, _LIMITS),
        Advice(_GONE, _OF_PENALTY),
        Advice(_DRAWN.replace("{by}", "a penalty"), _OF_PENALTY, _LIMITS),
        limits=(np.nan, t.weights_gone, np.nan),
        source=_SOURCE,
        lasting=3,
        cause=drawn + 2 * (memory.known("its_decay", figures["weight_decay"]) == 0),
        falling=True,
    )


@lru_cache(maxsize=1)
def _of_many(roles: Roles) -> Series:
    """1 for layers with weights enough, NaN for others, [layers]."""
    of = [
        facts.width is None or facts.width[0] * facts.width[1] >= _FEWEST for facts in roles.layers
    ]
    return np.where(of, 1.0, np.nan)


def _is_drawn(figures: Figures, memory: Memory) -> Flags:
    """Whether a decay or a penalty is seen that is strong enough, as of each step: one that is most
    of the loss; or one that was a part of it, while the output's own part is still at chance.
    """
    pace = memory.known("decay", figures["weight_decay"]) * figures["learning_rate"]
    is_drawn: Flags = pace > _FAST
    beside = memory.known("beside", figures["loss_beside"])
    own = (1 - beside) * memory.loss_curve.of(figures).level
    at_chance = own > _AT_CHANCE * memory.known("entropy", figures["label_entropy"])
    was_a_part = memory.highest("most_beside", figures["loss_beside"]) > _A_PART
    return is_drawn | (beside > _MOST) | (was_a_part & at_chance)
