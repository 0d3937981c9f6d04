"""Losses that may be sums of terms: of such a sum nobody knows which way it should go."""

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Flags, Series
from layerscope.diagnose.measured.loss_curve import WINDOW
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.once_a_block import once_a_block
from layerscope.diagnose.symptoms import Severities


@once_a_block
def is_of_no_known_kind(figures: Figures, memory: Memory) -> Flags:
    """Whether most looks at the gradient on the output have shown no known loss, [steps]."""
    before = memory.of_run("kinds", 2)
    kinds = np.stack([figures["loss_kind"] == 0, figures["loss_kind"] > 0], axis=1)
    looks = np.nan_to_num(before) + np.cumsum(kinds, axis=0)
    before[:] = looks[-1]
    return looks[:, 0] > looks[:, 1]


@once_a_block
def may_be_of_terms(figures: Figures, memory: Memory) -> Flags:
    """Whether the loss is of no known kind and looks at several outputs, one of which may be a term
    of it, such as a penalty that grows while the network learns, [steps]; or is one of rewards.
    """
    several: Flags = memory.known("alone", figures["output_alone"]) == 0
    return (is_of_no_known_kind(figures, memory) & several) | is_of_rewards(figures, memory)


@once_a_block
def is_of_rewards(figures: Figures, memory: Memory) -> Flags:
    """Whether the loss is a policy's, as last looked at, [steps]: the gradient of what is expected
    of the rewards (Sutton and Barto 2018, section 13.3), whose own value tells nothing.
    """
    return memory.known("of_rewards", figures["of_rewards"]) == 1


@once_a_block
def without_what_grew_beside(figures: Figures, memory: Memory) -> Series:
    """The share of a cross-entropy that the outputs make / that share at first, and 1 at most,
    [steps]: a penalty beside it that grows, as a divergence that is warmed up (Bowman et al. 2016,
    section 3.1), hides how far the rest has fallen.
    """
    beside = figures["loss_beside"].astype(np.float64)
    at_first = memory.first("beside_at_first", np.where(np.isfinite(beside), beside, np.nan))
    left = (1 - memory.known("beside", beside)) / (1 - at_first)
    return np.where(left < 1, left, 1.0)


@once_a_block
def on_average_without_what_grew_beside(figures: Figures, memory: Memory) -> Series:
    """The same of the last WINDOW losses together, [steps], each with the share that was known at
    its step. While a penalty grows, the share of the latest look alone is less than theirs, and
    makes a cross-entropy that stays where it was look as if it had fallen.
    """
    beside = figures["loss_beside"].astype(np.float64)
    at_first = memory.first("beside_at_first", np.where(np.isfinite(beside), beside, np.nan))
    share = 1 - np.nan_to_num(memory.known("beside", beside))
    loss = memory.loss_curve.of(figures).loss
    known = ~np.isnan(loss)
    left = np.full(len(loss), np.nan)
    recent = memory.of_run("recent", 2 * WINDOW).reshape(2, WINDOW)
    joined = np.concatenate([recent, [loss[known], (loss * share)[known]]], axis=1)
    if known.any():
        windows = np.lib.stride_tricks.sliding_window_view(joined, WINDOW, axis=1)[:, 1:]
        whole, rest = windows.mean(2)
        left[known] = rest / whole / (1 - at_first)
        recent[:] = joined[:, -WINDOW:]
    return np.where(left < 1, left, 1.0)


def note_if_baseline(
    severity: Severities | None, figures: Figures, memory: Memory
) -> Severities | None:
    """Severities, int8 [steps, layers], with notes for warnings of layers of a baseline.

    A policy's gradient is the same on average whatever a baseline says, if only it is the same for
    all actions (Sutton and Barto 2018, section 13.4): policies learn, with more noise, beside a
    critic that predicts the same for all states. A layer without parameters belongs to the one
    before it.
    """
    known = memory.known_of_layers("baseline", figures["baseline"])  # at each block: it remembers
    if severity is None or not (known == 1).any():
        return severity
    in_order = np.argsort(memory.roles.rank)
    sorted_known = known[:, in_order]
    own = np.where(np.isnan(sorted_known), 0, np.arange(known.shape[1]))
    of = np.maximum.accumulate(own, axis=1)
    beside = np.empty(known.shape, bool)
    beside[:, in_order] = np.take_along_axis(sorted_known, of, axis=1) == 1
    severity[beside] = np.minimum(severity[beside], 1)
    return severity
