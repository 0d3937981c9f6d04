"""Gradients that are clipped to next to nothing, or whose loss is, sample by sample."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Flags, Series, Values
from layerscope.diagnose.questions.in_each_look import LOOKS, in_each_look
from layerscope.diagnose.questions.median import known_median

_SMALL = 1e-3
"""A norm: people clip at 0.1 to 10, and a gradient scaler divides by 2^16."""

_SMALL_TO_ALL = 0.1
"""Where steps go by the size of the gradient: the least that people clip at."""

_BY_SIZE = 20.0
"""Update / (learning rate times gradient): 1 of plain SGD, 10 with a momentum of 0.9. Adam's is
1 / gradient, which is more where a tenth is the norm of some hundred weights' gradients."""

_LOOKS, _SAME = 5, 1e-3

_VARIES = 1e-2
"""Of a layer's own gradient, from the look with its smallest to that with its largest: batches
differ by more."""


_MANY = 0.2
"""Of the samples: more than the outliers that a robust loss leaves out on purpose."""


@rule_of_run("clipped_too_far", looks_at=("gradient_norm", "loss_cut_off"))
def clipped_too_far(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """The norm of all gradients together, where it has been one and the same at each look while
    gradients of layers' weights have changed: they are clipped to it. Or the share of the samples
    that get no gradient, of a loss whose errors are cut off above.
    """
    left = _left_by_a_trainer(figures)
    norms = figures["gradient_norm"] * left
    of_weights = figures["weight_grad_rms"] * left[:, np.newaxis]
    ill = np.zeros(len(norms), bool)
    limits = _limits(figures, of_weights)
    seen, of_layers = memory.of_run("norms", 3), memory.of_layers("gradients", 2)
    looks, low, high = seen
    for row in np.flatnonzero(~np.isnan(norms)).tolist():
        norm, gradients = norms[row], of_weights[row]
        looks, low, high = np.nan_to_num(looks) + 1, np.fmin(low, norm), np.fmax(high, norm)
        of_layers[:] = np.fmin(of_layers[0], gradients), np.fmax(of_layers[1], gradients)
        if looks >= _LOOKS and 0 < high < limits[row] and high <= (1 + _SAME) * low:
            ill[row] = (of_layers[1] > (1 + _VARIES) * of_layers[0]).any()
    seen[:] = looks, low, high
    cut_off = figures["loss_cut_off"].astype(np.float64)
    cut, from_start = _are_cut_off(cut_off, memory)
    return Symptoms.of_run(
        "optimizer",
        np.where(cut, memory.known("cut off", cut_off), norms),
        np.where(cut, np.where(from_start, 2, 1), ill),
        Advice(
            "all gradients together have a norm of {value:.3g} in every step: they are clipped to "
            "it, and nobody clips that far on purpose",
            "with a gradient scaler, scaler.unscale_(optimizer) before clip_grad_norm_; else a "
            "larger limit of the clipping: 1 is usual",
        ),
        Advice(
            "all gradients together have a norm of {value:.3g} in every step: they are clipped to "
            "it, and this optimizer's steps are in proportion to it",
            "a larger limit of the clipping: 1 is usual; or an optimizer.lr that is as many times "
            "larger as the limit is smaller",
            (_SMALL_TO_ALL, np.nan, np.nan),
        ),
        Advice(
            "the error of each sample is cut off above in the loss, and {value:.0%} of the samples "
            "(limit {threshold:.0%}) lie beyond: those with the largest errors get no gradient, "
            "and nothing is learned from them",
            "clip gradients, not the loss: no clamp or minimum there, and "
            "nn.utils.clip_grad_norm_(parameters, 1.0) before the step; against outliers "
            "nn.HuberLoss, whose slope is never 0 there",
            (_MANY, _MANY, np.nan),
        ),
        limits=(_SMALL, np.nan, np.nan),
        source="torch.amp, gradient clipping: gradients are clipped after they are unscaled",
        cause=np.where(cut, 2, norms >= _SMALL),
        falling=True,
    )


def _are_cut_off(shares: Series, memory: Memory) -> tuple[Flags, bool]:
    """Whether so many samples had no gradient in each of the last looks, [steps]; and whether they
    had none in the first one: then it is no outliers that are left out.
    """
    first = memory.first("first cut", shares)
    many = np.where(np.isnan(shares), np.nan, shares > _MANY)
    return in_each_look(many, memory.of_run("cut", LOOKS + 1)), first > _MANY


def _left_by_a_trainer(figures: Figures) -> Series:
    """What is left of the gradients that were measured, where a trainer clips them afterwards,
    [steps]; 1 where nobody does.
    """
    left = figures["clip_factor"].astype(np.float64)
    return np.where(np.isfinite(left), left, 1)


def _limits(figures: Figures, of_weights: Values) -> Series:
    """The norm below which a clip is too far, [steps]."""
    updates = figures["update_to_weight"] * figures["weight_rms"]
    times = updates / (figures["learning_rate"][:, np.newaxis] * of_weights)
    by_size = known_median(np.where(np.isfinite(times), times, np.nan), axis=1) < _BY_SIZE
    return np.where(by_size, _SMALL_TO_ALL, _SMALL)
