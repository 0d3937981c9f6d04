"""How fast a run's weights move, and whether its loss falls on."""

from functools import lru_cache

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Flags, Series, Values
from layerscope.diagnose.measured.last_known import last_known
from layerscope.diagnose.measured.loss_curve import CurveOfBlock
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.median import known_median
from layerscope.diagnose.questions.once_a_block import once_a_block

OF_LEVELS = 0.63  # standard error between two levels / between a level and the start
_SURE = 3.0

_FAR, _FAST = 0.2, 0.01
"""Of the weights' size, in all and in a step on average: ten times the usual. What a layer was
healthy with at the start, and is not any more, such steps have done."""


@once_a_block
def median_update(figures: Figures, memory: Memory) -> Series:
    """log10 update / weight of the median layer, as last measured; NaN before."""
    ratios = figures["update_to_weight"]
    known = ~np.isnan(ratios).all(1)
    medians = np.full(len(ratios), np.nan)
    if known.any():
        medians[known] = np.log10(known_median(ratios[known], axis=1))
    return last_known(medians, memory.of_run("update"))


@once_a_block
def way_so_far(figures: Figures, memory: Memory) -> Series:
    """Sum of update / weight of the median layer before each step, [steps]; infinite where one is
    not known.
    """
    updates = 10 ** median_update(figures, memory)
    moved = memory.of_run("moved")
    # Added up one by one from the start on, which is the same for any blocks.
    before = np.nan_to_num(moved, posinf=np.inf)
    way: Series = np.cumsum(np.append(before, np.nan_to_num(updates, nan=np.inf)))
    moved[0] = way[-1]
    return way[:-1]


def has_moved_far(figures: Figures, memory: Memory) -> Flags:
    """Whether the steps before each have changed the median layer's weights far, and by large
    steps, [steps]: False where one of them is not known.
    """
    way = way_so_far(figures, memory)
    return (way > np.fmax(_FAR, _FAST * figures.steps)) & np.isfinite(way)


def falls_on(curve: CurveOfBlock, least: int, memory: Memory) -> Flags:
    """Whether the loss, twice `least` steps from the start or later, has fallen in the later part
    by half as much as in the first `least` steps, or more, and by more than chance would, [steps].
    """
    then = _level_at(least, curve, memory)
    fallen = then - curve.level
    enough = np.fmax((curve.start - then) / 2, _SURE * OF_LEVELS * curve.noise)
    return (curve.known >= 2 * least) & (fallen > enough)


def keeps_pace(curve: CurveOfBlock, least: int, memory: Memory) -> Flags:
    """Whether the loss falls, since the first `least` steps, half as fast as in them or faster,
    [steps]. By steps that are too small it falls evenly: one that falls ever more slowly comes to
    where it ends, and how far that is from 0 only the loss's kind can tell.
    """
    then = _level_at(least, curve, memory)
    later = (then - curve.level) / np.fmax(curve.known - least, 1)
    return later >= (curve.start - then) / least / 2


def _level_at(least: int, curve: CurveOfBlock, memory: Memory) -> float:
    """The level after `least` losses; NaN until there are as many."""
    then = memory.of_run("level_then")
    known = np.flatnonzero((curve.known >= least) & ~np.isnan(curve.level))
    if np.isnan(then[0]) and known.size:
        then[0] = curve.level[known[0]]
    return float(then[0])


def moves_unseen(figures: Figures, updates: Series, memory: Memory) -> Flags:
    """Whether weights have changed between two looks at them while no update that was measured has
    changed any, [steps]: an optimizer of one's own takes a step at each fourth call, say. How long
    it has had is not known.
    """
    sizes, before = figures["weight_rms"], memory.of_layers("sizes")[0]
    was_still = memory.of_run("was_still")
    changed, still = np.zeros(len(sizes), bool), np.isneginf(updates)
    known = ~np.isnan(sizes).all(axis=1)
    if known.any() and not still.any():
        was_still[0] = 0  # the usual
        return memory.ever("changed", changed)
    for row in np.flatnonzero(known).tolist():
        is_still = still[row]
        differs = (np.abs(sizes[row] - before) > 0).any()
        changed[row] = differs and is_still and was_still[0] == 1
        before[:] = np.where(np.isnan(sizes[row]), before, sizes[row])
        was_still[0] = is_still
    return memory.ever("changed", changed)


_ENDING, _GONE = 0.5, 1e-3
"""Of the largest learning rate so far."""


def is_ending(figures: Figures, memory: Memory) -> Flags:
    """Whether the learning rate is on its way down, as a schedule's is in its second half, [steps]:
    its steps are small on purpose. One that is all but gone is not.
    """
    rates = figures["learning_rate"].astype(np.float64)
    largest = memory.highest("highest", rates)
    return (rates < _ENDING * largest) & (rates > _GONE * largest)


@lru_cache(maxsize=1)  # of three rules
def update_ratio(figures: Figures, roles: Roles) -> Values:
    """log10 RMS(update) / RMS(weight), [steps, layers]; -inf for no update, NaN where it was not
    measured or weights are all zero.
    """
    values: Values = np.log10(figures["update_to_weight"] * roles.only("trained"))
    values.flags.writeable = False
    return values
