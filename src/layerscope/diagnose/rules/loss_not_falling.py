"""A loss that does not fall, though the network has had time."""

from functools import lru_cache

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.losses.loss_kind import ERRORS
from layerscope.diagnose.measured.figures import Flags
from layerscope.diagnose.measured.last_function import LastFunction
from layerscope.diagnose.measured.loss_curve import HALF, WINDOW
from layerscope.diagnose.questions.larger_rate import LargerRate, larger_rate
from layerscope.diagnose.questions.loss_terms import (
    is_of_rewards,
    may_be_of_terms,
    on_average_without_what_grew_beside,
)
from layerscope.diagnose.questions.missing_gradients import is_nothing
from layerscope.diagnose.questions.pace import (
    falls_on,
    is_ending,
    keeps_pace,
    median_update,
    moves_unseen,
    way_so_far,
)
from layerscope.diagnose.questions.patience import LATE, attends, patience_of, targets_have_grown
from layerscope.diagnose.questions.simple_network import rather
from layerscope.diagnose.questions.solved import (
    guessing_among_candidates,
    is_solved,
    left_of_chance,
    times_its_mean,
)
from layerscope.diagnose.questions.target_bits import targets_are_bits

_SURE = 3.0  # standard errors: of hundreds of steps one in a thousand is that far out by chance
_STEADY = 0.02  # standard error / level; what fluctuates more may be a game, or a reward
_STEADY_IF_KNOWN = 0.2
_SEEN = 0.25  # of the level: where chance may hide a fall by as much, one that is not seen may be
_TINY = -1.0  # log10, below what is slow already
_USUAL = 1e-3
"""Update / weight (Karpathy, nn-zero-to-hero, lecture 3), of the mean step."""
_FLAT, _SMALL_STEPS, _SLOW, _OF_SHARES, _TINY_STEPS, _AT_CHANCE, _STILL, _THROWN = range(8)
_SHORT_WAY, _NOTHING, _OF_ONE, _NO_PATH = 8, 9, 10, 11
_SOON = 3
"""Steps: of a CTC loss that is 0 in all of them there is no other reason."""


@lru_cache(maxsize=4)
def _advice(t: Thresholds, first: str, rate: LargerRate) -> tuple[Advice, ...]:
    """The words.

    Args:
        first: what to try before labels are doubted.
        rate: what to ask for where steps are too small.
    """
    fallen = 1 - t.loss_stuck
    ends = "; and see that a warm-up, if any, ends"
    return (
        Advice(
            "the loss is still {value:.1%} of what it was at the start (limit "
            "{threshold:.0%}): the network has not begun to learn",
            "optimizer.lr ten times larger, and ten times smaller: see with which the network "
            "fits one batch, trained on it alone; with neither, see that each label belongs to its "
            "input, and that no layer is cut off from the loss",
        ),
        Advice(
            "the loss is still {value:.1%} of what it was at the start (limit "
            "{threshold:.0%}), and a step changes the weights by less than 10^"
            f"{t.update_slow:g} of their size, where 10^-3 is usual" + rate.because,
            rate.larger + ends,
        ),
        Advice(
            "the loss falls steadily and too slowly: it is {value:.1%} of what "
            f"it was, and a step changes the weights by less than 10^{t.update_slow:g} of their "
            f"size, where 10^-3 is usual (a fall of {fallen:.0%} alone would be no trouble)"
            + rate.because,
            rate.larger + ends,
            (np.nan, t.loss_slow, np.nan),
        ),
        Advice(
            "the loss is still {value:.1%} of what it was at the start: it is an error between "
            "labels and a sigmoid or softmax, which passes hardly any gradient on where it is flat",
            "cross_entropy, or binary_cross_entropy_with_logits, on outputs without that function; "
            f"else {rate.larger}",
        ),
        Advice(
            "the loss is still {value:.1%} of what it was at the start (limit "
            f"{{threshold:.0%}}), and a step changes the weights by less than "
            f"10^{t.update_slow + _TINY:g} of their size, where 10^-3 is usual" + rate.because,
            rate.much_larger + ends,
        ),
        Advice(
            "the loss is still {value:.1%} of what it was at the start (limit {threshold:.0%}), "
            "and that is what guessing from how often each class comes costs (the entropy of the "
            "labels): so far nothing was learned from the inputs",
            first
            + "see whether the network fits one batch, trained on it alone, with optimizer.lr "
            "as it is, ten times smaller and ten times larger; if it does, and learns nothing of "
            "all data, check that each label belongs to its input: print some pairs; a shuffle, or "
            "a reshape, of only one of the two separates them",
        ),
        Advice(
            "the loss is still {value:.1%} of what it was at the start (limit "
            "{threshold:.0%}), and steps leave most layers' weights as they are, bit for bit",
            "look at what stands above this finding first, and blame the learning rate only if "
            "that does; else see that gradients reach the layers, and that the optimizer has "
            "their parameters",
        ),
        Advice(
            f"steps have thrown the loss up to more than {t.loss_diverged:g} times what it was at "
            "the start, and it has stopped falling: it is {value:.1%} of that",
            "optimizer.lr=... a tenth of what it is, or a warm-up of it",
        ),
        Advice(
            "the loss falls steadily and too slowly: it is {value:.1%} of what it was, and steps "
            f"have changed the weights by less than {_USUAL:g} of their size each, on average"
            + rate.because,
            rate.larger + ends,
            (np.nan, HALF, np.nan),
        ),
        Advice(
            "the loss is exactly 0 in every batch so far, and so are all gradients: nothing is "
            "learned",
            "look for what makes it 0 whatever the network gives: a mask that leaves all out, a "
            "factor of 0, a margin that is met from the start, a softmax over one entry alone, "
            "which is always 1",
        ),
        Advice(
            "the loss is exactly 0 in every batch so far, and so are all gradients: nothing is "
            "learned; batches have one sample, which a loss that compares samples with each other "
            "has nothing to compare with",
            "a larger batch_size, and drop_last=True; for a network with one output, look for a "
            "softmax over it, which is always 1",
        ),
        Advice(
            "the CTC loss is exactly 0 in every batch so far, and so are all gradients: nothing is "
            "learned; zero_infinity=True makes 0 of an infinite loss, as of a sample that has "
            "fewer frames than labels",
            "more frames at the output than labels in target_lengths, with one more between two "
            "labels that are the same: fewer strides and poolings, or longer inputs; and frames, "
            "not samples of the sound, in input_lengths",
        ),
    )


@rule_of_run("loss_not_falling")
def loss_not_falling(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Mean of the last 20 losses / the loss at the start, in four cases: it stays there; it falls
    steadily by updates that are too small; all updates so far come to next to nothing; or loss and
    gradients are exactly 0 from the start, which rounding keeps even a task that is solved from.

    An adapter that starts at zero begins late. A loss of rewards is not judged: its value says
    nothing of how much is earned. Of an error between labels of 0 and 1 and a sigmoid or softmax it
    says that a cross-entropy learns faster (Golik et al. 2013, Cross-Entropy vs. Squared Error
    Training, section 3): the error's gradient is the difference times the function's slope.
    """
    t = thresholds
    curve = memory.loss_curve.of(figures)
    ratio = curve.level / curve.start * on_average_without_what_grew_beside(figures, memory)
    updates = median_update(figures, memory)
    ending = is_ending(figures, memory)
    # An error or a likelihood: its noise is that of the batches.
    told = (figures["loss_kind"] > 0) & ~np.isnan(figures["loss_reduction"])
    is_known = memory.known("kind", np.where(told, 1.0, np.nan))
    # Of a sum of terms, as of several tasks, no reduction is told.
    is_term = memory.known("term", np.where(figures["loss_kind"] > 0, 1.0, np.nan))
    entropy = memory.known("entropy", figures["label_entropy"]) * times_its_mean(figures, memory)
    unseen = moves_unseen(figures, updates, memory)
    rate = larger_rate(figures, memory)
    way, going = way_so_far(figures, memory), falls_on(curve, t.patience, memory)
    left = left_of_chance(figures, memory)
    low = is_solved(figures, memory) | targets_have_grown(figures, memory)
    low |= may_be_of_terms(figures, memory) & (ratio > t.loss_rising)
    low |= is_of_rewards(figures, memory)
    low |= guessing_among_candidates(figures, memory) - curve.level > _SURE * curve.noise
    late = curve.known >= patience_of(figures, t, memory)
    due = (curve.known >= t.patience) & curve.judged & (curve.level > 0) & (curve.start > 0)
    whole = memory.known("whole", np.where(curve.known == WINDOW, figures.steps, np.nan))
    risen = memory.highest("highest_level", ratio)
    nothing = curve.finite & is_nothing(figures, curve.loss, memory)
    aligns = memory.known("aligns", figures["of_alignment"]) == 1
    nothing &= curve.known >= np.where(aligns, _SOON, t.patience)
    if not (due | nothing).any():
        return Symptoms.of_run("loss", ratio)
    little_noise = curve.noise < _STEADY_IF_KNOWN * curve.level
    steady = curve.noise < _STEADY * curve.level
    steady |= (is_known == 1) & little_noise
    fallen = curve.start - curve.level
    by_chance = fallen < _SURE * curve.noise
    never = curve.lowest > t.loss_stuck * curve.start - _SURE * curve.noise
    flat = (ratio > t.loss_stuck) & (by_chance | (ratio > 0.995)) & never
    small_steps = (updates < t.update_slow) & ~ending
    steady |= (is_term == 1) & small_steps & little_noise
    slow = (ratio > t.loss_slow) & small_steps
    # A ranking's likelihood (Cox 1972) ends far from 0: a share of its start tells nothing.
    paced = (is_known == 1) | keeps_pace(curve, t.patience, memory)
    short_way = ((ratio > t.loss_slow) & paced) | (
        (ratio > HALF) & small_steps & (curve.known >= LATE * t.patience) & (left > HALF)
    )
    short_way &= (way < _USUAL * curve.known) & going & ~ending
    short_way &= ~(slow | flat | attends(figures, memory))
    late &= _SURE * curve.noise < _SEEN * curve.level
    ill = flat & (late | small_steps) | slow | short_way
    ill &= due & steady & ~low & (ratio < t.loss_diverged)
    ill &= ~(np.isneginf(updates) & unseen)
    ill |= nothing
    ratio[curve.alone & ~curve.judged] = np.nan
    ratio[nothing] = 1.0
    tiny = updates < t.update_slow + _TINY
    thrown = risen > t.loss_diverged
    small = np.where(tiny, _TINY_STEPS, _SMALL_STEPS)
    cause = np.where(flat & ~small_steps, _FLAT, np.where(flat | (ratio >= 1), small, _SLOW))
    at_chance = np.abs(curve.level - entropy) < (1 - t.loss_stuck) * entropy
    cause = np.where((cause == _FLAT) & at_chance, _AT_CHANCE, cause)
    # No rate is too small where nothing moves, nor where steps have thrown the loss far up.
    cause = np.where(np.isneginf(updates), _STILL, np.where(thrown, _THROWN, cause))
    cause = np.where(_of_shares(figures, memory), _OF_SHARES, cause)
    cause = np.where(short_way, _SHORT_WAY, cause)
    of_one = memory.known("samples", figures["samples"]) == 1
    of_nothing = np.where(aligns, _NO_PATH, np.where(of_one, _OF_ONE, _NOTHING))
    cause = np.where(nothing, of_nothing, cause)
    # One that has stayed there all the time did not wait for what layers come to later.
    stayed = (cause == _AT_CHANCE) & ~(risen > t.loss_rising) & ~np.isnan(whole)
    since = np.where(stayed, np.nan_to_num(whole), figures.steps).astype(np.int64)
    return Symptoms.of_run(
        "loss",
        ratio,
        np.where(ill, 2, 0),
        *_advice(t, rather(memory.roles), rate),
        limits=(np.nan, t.loss_stuck, np.nan),
        source="Zhang et al. 2021 (AutoTrainer), slow convergence; here against the run's noise",
        lasting=WINDOW,
        cause=cause,
        since=since,
    )


def _of_shares(figures: Figures, memory: Memory) -> Flags:
    """Whether the loss is an error between labels and a sigmoid or softmax, as last looked at."""
    ends = np.isin(figures["output_function"], (LastFunction.SIGMOID, LastFunction.SOFTMAX))
    ends |= figures["output_rows_one"] == 1
    of_labels = np.isin(figures["loss_kind"], ERRORS)
    of_labels &= ends & targets_are_bits(figures)
    looked = np.where(np.isnan(figures["loss_kind"]), np.nan, of_labels)
    return memory.known("of_shares", looked) == 1
