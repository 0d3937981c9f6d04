"""Whether a task is solved: what layers then look like is how they solve it, and no disease."""

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Flags, Series
from layerscope.diagnose.measured.loss_curve import HALF, SURE, CurveOfBlock
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.once_a_block import once_a_block
from layerscope.diagnose.symptoms import Severities

_TENTH = 0.1
_ANY_SUM = 2.0
_BELOW = 0.98  # as where labels are said to have no signal


def note_if_solved(
    severity: Severities | None, figures: Figures, memory: Memory
) -> Severities | None:
    """Severities, int8 [steps, layers], with notes for warnings in steps where `is_solved`."""
    solved = is_solved(figures, memory)  # at each block: it remembers
    if severity is not None and solved.any():
        severity[solved] = np.minimum(severity[solved], 1)
    return severity


@once_a_block
def has_learned(figures: Figures, memory: Memory) -> Flags:
    """Whether the loss has half of its way to the lowest behind it, bool [steps]."""
    curve = memory.loss_curve.of(figures)
    left = np.fmin(curve.loss, curve.level) - curve.floor
    return left < HALF * (curve.start - curve.floor)


@once_a_block
def is_learning(figures: Figures, memory: Memory) -> Flags:
    """Whether the loss is below its start by more than noise, bool [steps]; False if unknown."""
    curve = memory.loss_curve.of(figures)
    return curve.start - curve.level > SURE * curve.noise


@once_a_block
def beats_chance(figures: Figures, memory: Memory) -> Flags:
    """Whether the loss is falling, and below what guessing by frequency costs where that is known,
    bool [steps].
    """
    known = figures["label_entropy"].astype(np.float64)
    chance = memory.known("guessing", np.where(known > 0, known, np.nan))
    chance = chance * times_its_mean(figures, memory)
    level = memory.loss_curve.of(figures).level
    return is_learning(figures, memory) & ~(level > _BELOW * chance)


@once_a_block
def guessing_among_candidates(figures: Figures, memory: Memory) -> Series:
    """What a contrastive loss costs that takes all candidates for equally likely, [steps]; NaN of
    another loss. Its start is no measure: the others that a partner stands among are the network's
    own outputs, and random numbers in a queue that begins to fill (He et al. 2020, MoCo).
    """
    return memory.known("log_candidates", np.log(figures["candidates"].astype(np.float64)))


@once_a_block
def is_solved(figures: Figures, memory: Memory) -> Flags:
    """Whether the loss is a tenth of chance, bool [steps]; of its start where chance is not known.

    A loss that starts far above chance, as an overconfident network's, has solved nothing when it
    is down to a tenth of the start.
    """
    left: Flags = left_of_chance(figures, memory) < _TENTH
    return left & (_now(memory.loss_curve.of(figures)) > 0)


@once_a_block
def left_of_chance(figures: Figures, memory: Memory) -> Series:
    """The loss / chance, [steps]; / its start where chance is not known. Both count from the lowest
    that the loss can get.

    Chance is guessing by frequency, or the targets' variance. NaN where a loss of no known chance
    has started below the lowest, as one of rewards may.
    """
    curve = memory.loss_curve.of(figures)
    of_labels = figures["label_entropy"].astype(np.float64)
    chance = np.where(of_labels > 0, of_labels, np.square(figures["target_std"]))
    chance = memory.known("chance", np.where(chance > 0, chance, np.nan))
    times = times_its_mean(figures, memory)
    known, floor = np.where(np.isnan(chance), curve.start, times * chance), times * curve.floor
    return (_now(curve) - floor) / np.where(known > floor, known - floor, np.nan)


@once_a_block
def times_its_mean(figures: Figures, memory: Memory) -> Series:
    """The loss / the mean over its samples, [steps]: n of a sum, 1 / n of a mean that is divided
    once more; 1 where that is not known, where a step adds up several passes, and of gradients
    larger than any sum's, which something has multiplied.
    """
    times = figures["loss_reduction"].astype(np.float64)
    most = _ANY_SUM * figures["samples"] * np.fmax(figures["outputs"], 1)
    told = (times > 0) & (times <= most) & ~(figures["passes"] > 1)
    known = memory.known("times", np.where(told, times, np.nan))
    return np.where(np.isnan(known), 1.0, known)


def _now(curve: CurveOfBlock) -> Series:
    """Of each step the level, or the loss before there is a mean."""
    return np.where(np.isnan(curve.level), curve.loss, curve.level)
