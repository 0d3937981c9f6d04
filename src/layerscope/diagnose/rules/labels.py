"""Labels of which the inputs say nothing, as far as a network could tell."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.measured.figures import Flags, Series
from layerscope.diagnose.measured.last_function import LastFunction
from layerscope.diagnose.measured.loss_curve import FIRST, WINDOW
from layerscope.diagnose.questions.has_stayed import has_stayed
from layerscope.diagnose.questions.loss_terms import is_of_no_known_kind
from layerscope.diagnose.questions.once_a_block import once_a_block
from layerscope.diagnose.questions.pace import median_update
from layerscope.diagnose.questions.patience import attends, patience_of, targets_have_grown
from layerscope.diagnose.questions.simple_network import answers_by_direction, rather
from layerscope.diagnose.questions.solved import (
    guessing_among_candidates,
    is_learning,
    times_its_mean,
)
from layerscope.diagnose.questions.target_bits import CLASSES, targets_may_be_classes


@rule_of_run("labels_without_signal")
def labels_without_signal(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Loss / entropy of the classes' frequencies; a squared error / the variance of its targets; a
    contrastive loss / the logarithm of the number of samples among which it looks for a partner. 1
    is what a network reaches that has learned nothing from its inputs.
    """
    t = thresholds
    curve = memory.loss_curve.of(figures)
    entropy = memory.known("entropy", figures["label_entropy"])
    times = times_its_mean(figures, memory)
    guessing = guessing_among_candidates(figures, memory)
    of_pairs = np.isnan(entropy) & (guessing > 0)
    entropy = np.where(of_pairs, guessing, entropy)
    variance = _variance(figures, memory)
    updates = median_update(figures, memory)
    of_errors = np.isnan(entropy) & ~targets_have_grown(figures, memory)
    of_errors &= ~is_of_no_known_kind(figures, memory)  # by chance one look fits an error
    guess = np.where(entropy > 0.1, entropy * times, np.where(of_errors, variance, np.nan))
    values = curve.level / guess
    floor = np.where(of_errors | of_pairs, 0.0, curve.floor * times)  # of labels that are smoothed
    left = (curve.level - floor) / np.where(guess > floor, guess - floor, np.nan)
    off = np.where(of_errors, _OF_VARIANCE, 1 - t.loss_stuck)
    there = np.abs(left - 1) < off
    rests, stayed = has_stayed(there, curve, t.patience - WINDOW, memory.of_run("stayed", 2))
    due = curve.known >= 2 * patience_of(figures, t, memory)
    due |= stayed & ~(of_errors | of_pairs | _recurs(figures, memory) | attends(figures, memory))
    sparse = of_errors & _are_sparse(figures, memory)
    due &= curve.judged & (sparse & rests | (updates > np.where(of_errors, _USUAL, t.update_slow)))
    # The number of candidates is exact, and chance alone does not get below what it costs.
    due &= ~(of_pairs & (guess - curve.level > _BELOW * curve.noise * _OF_WINDOW))
    begun = is_learning(figures, memory) | of_errors | of_pairs
    of_data = of_errors & (memory.known("copied", figures["targets_are_inputs"]) == 1)
    whole = targets_may_be_classes(figures, memory)
    ill = due & begun & there
    # A network that reads many kinds of things, or waits for a head, is on its way for longer.
    few = (memory.known("outputs", figures["outputs"]) <= _FEW_CLASSES) & (entropy > 0.1)
    little = few & ~(of_errors | of_pairs | _recurs(figures, memory) | attends(figures, memory))
    little &= (left > _LITTLE) & (left < 1) & is_learning(figures, memory) & curve.judged
    little &= (curve.known >= _LATE * t.patience) & (updates > t.update_slow) & ~ill
    unbiased = few & curve.judged & (curve.known >= 2 * t.patience) & (updates > t.update_slow)
    unbiased &= (left > _BY_DIRECTION) & ~of_pairs & answers_by_direction(memory.roles)
    unbiased &= memory.known("sizes", figures["input_sizes"]) > _SIZES_DIFFER
    return Symptoms.of_run(
        "loss",
        values,
        np.where(ill | unbiased, 2, np.where(little, 1, 0)),
        Advice(
            "the loss stays at {value:.1%} of the entropy of the labels: the network has learned "
            "how often each class comes, and nothing from its inputs",
            rather(memory.roles) + _PAIRS,
        ),
        Advice(
            "the loss stays at {value:.1%} of the variance of the targets: the network has "
            "learned their mean, and nothing from its inputs",
            rather(memory.roles) + _PAIRS,
        ),
        Advice(
            "the loss stays at {value:.1%} of what guessing among the samples of the batch costs: "
            "the network has not learned which of them belong together",
            "check that row i of one view belongs to row i of the other, as targets of "
            "torch.arange say: a loader or a shuffle for each of the two separates them",
        ),
        Advice(
            "the loss stays at {value:.1%} of the variance of the data that the network is to "
            "reproduce: it has learned their mean, and nothing of a sample comes through it",
            "see where the way from the input to the output breaks off: a code that is rounded or "
            "looked up passes the gradient on as code + (rounded - code).detach(), one that is "
            "drawn needs a smaller weight of its divergence; else optimizer.lr ten times larger",
        ),
        Advice(
            "the loss stays at {value:.1%} of the entropy of the labels: so far the network has "
            "learned how often each class comes, and nothing from its inputs; its steps are "
            "smaller than 0.1% of a weight",
            "optimizer.lr ten times larger, and again if that is not enough; if the loss stays "
            "there, " + _PAIRS,
        ),
        Advice(
            "the loss stays at {value:.1%} of the variance of the targets, which are whole "
            "numbers: the network has learned their mean, and nothing from its inputs",
            CLASSES + _PAIRS,
        ),
        Advice(
            "the loss stays at {value:.1%} of the variance of the targets, nearly all of which "
            "are close to 0: a map of zeros costs no more, and so far nothing better was learned",
            "a larger weight for what is not ground: (1 + 40 * targets) * (outputs - targets) ** "
            "2, or a sum over each map in place of its mean; and optimizer.lr ten times larger; if "
            "the loss stays there, " + _PAIRS,
        ),
        Advice(
            "the loss is {value:.3g} times the variance of what it compares with, which is 0 of "
            "some samples and one number of all others, as of distances and a margin: nothing has "
            "been learned of which pairs belong together",
            "look what 1 means to the labels, and to the loss: alike, or different (Hadsell et "
            "al. 2006 have 0 for alike, others have it the other way round); " + _PAIRS,
        ),
        Advice(
            "the loss is still {value:.0%} of the entropy of the labels: the network has learned "
            "little of what is to be told from its inputs",
            "print the pairs with the largest loss: labels that are partly wrong keep a loss up, "
            "and so do inputs that say little of them, which is no fault",
            (_LITTLE, np.nan, np.nan),
        ),
        Advice(
            "the loss is still {value:.0%} of the entropy of the labels, and no layer of the "
            "network has a bias: behind ReLUs and no normalisation its class depends on the "
            "direction of an input alone, not on its size, which differs from sample to sample",
            "bias=True in all layers; if the loss stays there, " + _PAIRS,
            (np.nan, _BY_DIRECTION, np.nan),
        ),
        limits=(np.nan, t.loss_stuck, np.nan),
        source="Shannon 1948: the entropy is the least loss without a look at the inputs",
        lasting=t.warm_up,
        cause=np.select(
            (
                *(
                    unbiased,
                    little,
                    of_pairs,
                    of_data,
                    sparse,
                    of_errors & _are_margins(figures, memory),
                ),
                *(of_errors & whole, of_errors, updates < _USUAL),
            ),
            (9, 8, 2, 3, 6, 7, 5, 1, 4),
            0,
        ),
        # By the way it is built: layers come to what they are afterwards.
        since=np.where(unbiased, 0, figures.steps),
    )


def _are_sparse(figures: Figures, memory: Memory) -> Flags:
    """Whether the targets of a squared error are small beside the largest of them, [steps]."""
    largest = np.fmax(figures["target_max"], -figures["target_min"])
    told = (figures["loss_kind"] == Loss.SQUARED_ERROR) & (largest > 0)
    share = np.where(told, figures["target_rms"] / np.where(told, largest, 1), np.nan)
    return memory.known("sparse", share) < _SPARSE


def _are_margins(figures: Figures, memory: Memory) -> Flags:
    """Whether a squared error of outputs that are never below 0, behind no function with an end
    there, has two targets alone, 0 and a number, [steps]: then their mean square is their mean
    times the larger.
    """
    square = np.square(figures["target_rms"].astype(np.float64))
    mean = np.sqrt(np.fmax(square - np.square(figures["target_std"]), 0))
    two = np.abs(mean * figures["target_max"] - square) < _EXACT * square
    two &= (figures["target_min"] < _EXACT * figures["target_max"]) & (figures["outputs"] == 1)
    two &= figures["output_function"] == LastFunction.NONE
    known = figures["loss_kind"] == Loss.SQUARED_ERROR
    of_two: Flags = memory.known("margins", np.where(known, two, np.nan)) == 1
    return of_two & ~memory.ever("below", figures["output_min"] < 0)


@once_a_block
def _recurs(figures: Figures, memory: Memory) -> Flags:
    """Whether a recurrent layer has been seen, as of each step."""
    return memory.ever("recurs", ~np.isnan(figures["gate_shut"]).all(axis=1))


_OF_WINDOW = ((1 / WINDOW) / (1 / FIRST + 1 / WINDOW)) ** 0.5
"""Noise of a window of losses / that of a curve, between its FIRST and a window."""

_BELOW = 2.0
"""Standard errors."""

_USUAL = -3.0
"""log10 of update / weight (Karpathy, nn-zero-to-hero, lecture 3): with smaller ones an error that
stays may be a rate that is too low."""

_LITTLE, _LATE, _FEW_CLASSES = 0.9, 4, 100
"""Of the entropy; times `patience`; classes."""

_BY_DIRECTION = 0.8
"""Of the entropy. Where size alone decides between two classes, as often one as the other, such a
network gets to 0.82 of it on normal numbers in one dimension, to 0.90 in two and 0.99 in 32."""

_SIZES_DIFFER = 0.1

_OF_VARIANCE = 0.05
"""That of some hundred targets is known no better."""

_EXACT = 1e-3
_SPARSE = 0.15
"""Root mean square / largest: of thousands of normal numbers it is about 0.25."""

_PAIRS = (
    "check that each label belongs to its input: print some pairs; a shuffle, or a reshape, of "
    "only one of the two separates them"
)


def _variance(figures: Figures, memory: Memory) -> Series:
    """What a squared error would be if all outputs were the mean of the targets, as far as these
    have been seen, [steps].
    """
    told = figures["loss_kind"] == Loss.SQUARED_ERROR
    found = np.where(told, np.square(figures["target_std"]) * figures["loss_reduction"], np.nan)
    total = memory.so_far("variances", np.where(np.isnan(found), 0.0, found))
    count = memory.so_far("variances_known", ~np.isnan(found))
    return np.where(total > 0, total / np.fmax(count, 1), np.nan)
