"""A loss that goes out of all bounds, or loses what had been learned."""

from dataclasses import replace

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Flags, Values
from layerscope.diagnose.measured.loss_curve import WINDOW
from layerscope.diagnose.questions.enough_samples import present_and_start
from layerscope.diagnose.questions.larger_targets import growth_of_an_error, largest_targets
from layerscope.diagnose.questions.loss_terms import is_of_no_known_kind, is_of_rewards
from layerscope.diagnose.questions.new_classes import loss_of_new_classes
from layerscope.diagnose.questions.pace import OF_LEVELS, way_so_far
from layerscope.diagnose.questions.patience import IF_OWN_TARGETS, may_have_own_targets
from layerscope.diagnose.questions.recurrent import CLIP, is_clipped, is_recurrent
from layerscope.diagnose.questions.solved import guessing_among_candidates, is_solved
from layerscope.diagnose.symptoms import A_TENTH

_SIGN = "check the sign of the loss, and the optimizer's maximize"
_DIVERGED = Advice(
    "the loss is {value:.3g} times what it was at the start (limit {threshold:g})",
    f"{A_TENTH}; and {_SIGN}",
)
_LEAPS = Advice(
    "the loss leaps again and again to more than {threshold:g} times what it was at the start "
    "(here {value:.3g} times)",
    A_TENTH,
)
_LESS = "a smaller optimizer.lr from there on, or a schedule that rises less"
_LOST = Advice(
    "the loss is {value:.3g} times the lowest level that it had reached: more "
    "than half of what had been learned is lost again",
    f"{_LESS}; and clip the gradients (torch.nn.utils.clip_grad_norm_) if single steps did it",
    (np.nan, 2.0, np.nan),
)
_THROWN = Advice(
    "one step has undone the network: the loss jumped to {value:.3g} times what it was at the "
    "start, and the next 20 losses are not below the start",
    f"trainer.gradient_clip_val=1.0; or {A_TENTH}",
)
_NEW_CLASSES = Advice(
    "the targets are of classes that had never come before, and so the loss is {value:.3g} times "
    "what it was at the start",
    "nothing, where tasks follow each other; else shuffle the data: DataLoader(shuffle=True)",
)
_RECURRENT = replace(_DIVERGED, remedy=f"{CLIP}; else {_DIVERGED.remedy}")
_ADVICE = (
    *(_DIVERGED, _LEAPS, _LOST, _THROWN, _RECURRENT),
    replace(_THROWN, remedy=f"{CLIP}; else {A_TENTH}"),
    replace(_DIVERGED, remedy=f"{A_TENTH}; {IF_OWN_TARGETS}; else {_SIGN}"),
    _NEW_CLASSES,
    replace(_LOST, remedy=_LESS),
    replace(_THROWN, remedy=A_TENTH),
)
_OF_DIVERGED, _OF_LEAPS, _OF_LOST, _OF_THROWN, _OF_RECURRENT, _OF_THROWN_RECURRENT = range(6)
_OF_OWN_TARGETS, _OF_NEW_CLASSES, _OF_LOST_CLIPPED, _OF_THROWN_CLIPPED = 6, 7, 8, 9
_SURE = 3.0
_GROWN = 1.5
_OF_TASKS = 3.0  # largest targets / smallest: batches of one task alone differ by less
_NEW_LABELS = 1.03  # entropy of the labels so far / that of before: batches alone change it by less
_TERMS = 10.0
"""Of a loss of no known kind: its terms may grow, as the weight of one is turned up, or as an
encoder moves away from what it is drawn to (van den Oord et al. 2017, VQ-VAE, whose targets are
network outputs without a gradient)."""
_SIGNED = 1000.0
"""Of one that has been below 0, as a critic's or an agent's: its level / the largest size that it
had at first. What an agent earns, and its critic's error with it, grows by less."""
_AS_IT_WAS = 0.1
"""Sum of update / weight so far, of the median layer: what is too much for one step is hardly a
change for all. What the loss does until then, its targets do: a queue of random keys (He et al.
2020, MoCo) makes it nearly 0 at first."""


@rule_of_run("loss_diverged")
def loss_diverged(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Loss / the first one; of one that fell and came back, its level / its lowest."""
    t = thresholds
    curve = memory.loss_curve.of(figures)
    beyond = memory.of_run("beyond", 1)
    present, start = present_and_start(figures, memory)
    # As the judge of two networks learns, its maker's loss rises: it is no measure either.
    opposed = memory.ever("opposed", np.nan_to_num(figures["judge_asks"]) != 0)
    unknown = is_of_no_known_kind(figures, memory) | opposed
    limit = np.where(unknown, _TERMS, t.loss_diverged)
    good = np.where(way_so_far(figures, memory) < _AS_IT_WAS, present, np.nan)  # as at the start
    at_first = np.fmax(start, memory.highest("at_first", good))
    start = np.where(unknown, at_first, start)
    start = np.fmax(start, guessing_among_candidates(figures, memory))
    start *= growth_of_an_error(figures, memory)
    of_classes = loss_of_new_classes(figures, memory)
    at_old_start = present / start
    explained = (at_old_start > limit) & (present <= limit * of_classes)
    chance, start = start, np.fmax(start, of_classes)
    values = present / np.where(start > 0, start, np.nan)
    signed = memory.ever("negative", (curve.loss < 0) | (figures["loss_of_scores"] == 1))
    sizes = np.where(curve.known <= WINDOW, np.abs(curve.loss), np.nan)
    values = np.where(signed, curve.level / memory.highest("sizes_at_first", sizes), values)
    limit = np.where(signed, _SIGNED, limit)
    large = (values > limit) & ~is_solved(figures, memory)
    lost, lost_since = _lost(figures, unknown, memory)
    of_rewards = is_of_rewards(figures, memory)
    large &= ~of_rewards
    lost &= ~of_rewards
    clipped = is_clipped(figures, memory)
    own_targets, looked = may_have_own_targets(figures, memory), _looked_at(figures, memory)
    diverges = not np.isnan(beyond[0]) or large.any() or lost.any()
    if not diverges and not explained.any():
        return Symptoms.of_run("loss", values)
    ever = np.logical_or.accumulate(large) | (beyond[0] == 1)
    blown = ~curve.finite & ever
    beyond[0] = 1.0 if diverges else np.nan
    values[blown] = np.finfo(np.float32).max  # JSON has no infinity
    recent, numbers = memory.of_run("recent", WINDOW), memory.of_run("numbers", WINDOW)
    level = np.where(large | blown, 1.0, 0.0) + (blown | (large & (present > limit * at_first)))
    was_beyond = np.append(np.nan_to_num(recent), level)
    steps = np.append(numbers, figures.steps.astype(np.float64))
    recent[:], numbers[:] = was_beyond[-WINDOW:], steps[-WINDOW:]
    windows = np.lib.stride_tricks.sliding_window_view(was_beyond, WINDOW)[1:]
    in_a_row = (windows[:, -t.lasting :] > 0).sum(1) >= min(t.lasting, WINDOW)
    often = (windows > 1).sum(1) >= t.lasting
    thrown, worst, thrown_at = _thrown_out(
        values, present, chance, large & (values > 10 * limit), figures, memory
    )
    counts = np.where((in_a_row | blown)[:, np.newaxis], windows > 0, windows > 1)
    begun = np.arange(1, len(values) + 1) + counts.argmax(1)  # that was beyond, in each window
    since = np.nan_to_num(steps[begun])
    gone = blown | (in_a_row & (values > 10 * limit))
    is_known = np.isnan(looked) | (looked >= since) | (windows > 0).all(1)
    is_told = large & (in_a_row | often) & is_known
    severity = np.where(gone, 3, np.where(is_told, 2, 0)).astype(np.int8)
    lost &= severity == 0
    values = np.where(lost, curve.level / memory.of_run("best", 6)[0], values)
    severity[lost] = 2
    thrown &= severity == 0
    values, severity[thrown] = np.where(thrown, worst, values), 2
    recurs = ~clipped & any(map(is_recurrent, memory.roles.layers))
    cause = np.where(own_targets, _OF_OWN_TARGETS, _OF_DIVERGED)
    cause = np.where(recurs, _OF_RECURRENT, cause)
    cause = np.where(in_a_row | blown, cause, _OF_LEAPS)
    of_thrown = np.where(clipped, _OF_THROWN_CLIPPED, _OF_THROWN)
    cause = np.where(thrown, np.where(recurs, _OF_THROWN_RECURRENT, of_thrown), cause)
    of_lost = np.where(clipped, _OF_LOST_CLIPPED, _OF_LOST)
    since = np.where(thrown, thrown_at, since)
    explained &= severity == 0
    values, severity[explained] = np.where(explained, at_old_start, values), 1
    cause = np.where(explained, _OF_NEW_CLASSES, cause)
    since = np.where(explained, figures.steps, since)
    return Symptoms.of_run(
        "loss",
        values,
        severity,
        *_ADVICE,
        *(replace(each, limits=(np.nan, _TERMS, 10 * _TERMS)) for each in _ADVICE),
        *(replace(each, limits=(np.nan, _SIGNED, 10 * _SIGNED)) for each in _ADVICE),
        limits=(np.nan, t.loss_diverged, 10 * t.loss_diverged),
        source="a network that has learned nothing has the loss of the start",
        cause=np.where(lost, of_lost, cause + len(_ADVICE) * np.where(signed, 2, unknown)),
        since=np.where(lost, lost_since, since).astype(np.int64),
    )


def _looked_at(figures: Figures, memory: Memory) -> Values:
    """The last step with a look at an error's targets, as of each step, [steps]; NaN without any.
    Until the next look an error that has grown may be that of another task.
    """
    sizes = figures["target_rms"]
    return memory.known("looked", np.where(np.isnan(sizes), np.nan, figures.steps))


def _thrown_out(
    values: Values, present: Values, start: Values, far: Flags, figures: Figures, memory: Memory
) -> tuple[Flags, Values, Values]:
    """Whether 20 losses have passed since one leap and are not below the start, of each step; how
    many times the start the leap was, and its step.
    """
    leap = memory.of_run("leap", 4)  # its step and size; the sum of losses since, and their number
    thrown = np.zeros(len(values), bool)
    worst, step = np.full(len(values), np.nan), np.zeros(len(values))
    if np.isnan(leap[0]) and not far.any():
        return thrown, worst, step
    for row in np.flatnonzero(np.isfinite(present)).tolist():
        if far[row]:
            is_first = np.isnan(leap[0])
            began = figures.steps[row] if is_first else leap[0]
            leap[:] = began, np.fmax(values[row], leap[1]), 0.0, 0.0
        elif not np.isnan(leap[0]):
            leap[2:] += present[row], 1.0
            if leap[3] >= WINDOW:
                thrown[row] = leap[2] / leap[3] >= start[row]
                step[row], worst[row] = leap[:2]
                leap[:] = np.nan
    return thrown, worst, step


def _lost(figures: Figures, unknown: Flags, memory: Memory) -> tuple[Flags, Values]:
    """Whether what had been learned is lost again, as of each step, and since when."""
    curve = memory.loss_curve.of(figures)
    # Of an error whose targets have grown, as those of a value that is learned, it says nothing.
    # Where the targets are not known, they may have: then all that had been learned must be lost.
    told = np.isfinite(figures["target_rms"]) | np.isfinite(figures["label_entropy"])
    known = memory.known("told", np.where(told, 1.0, np.nan)) == 1
    # Nor are they since a loss can be told no more: a Huber loss, where errors have grown large.
    unknown = unknown | (memory.known("kind", figures["loss_kind"]) == 0)
    sizes = memory.known("sizes", figures["target_rms"])
    largest = np.fmax(sizes, largest_targets(figures, memory))  # of one task of several
    smallest = -memory.highest("smallest", -sizes)  # may be those of the lowest level
    of_tasks = largest > _OF_TASKS * smallest
    learned = curve.start - curve.level > _SURE * curve.noise
    labels = memory.known("labels", figures["label_entropy"])
    # The lowest level, the targets' size and labels then; the streak, and its step; and how many
    # losses were known as new classes came, or a search for the rate was over: a new lowest level.
    remembered = memory.of_run("best", 6)
    best, size, classes, number, first, came_at = remembered
    came = (figures["labels_new"] > 0) | curve.searched
    learned &= ~(curve.known <= came_at + WINDOW)
    lost, since = np.zeros(len(learned), bool), np.zeros(len(learned))
    lowest = np.fmin.accumulate(np.append(best, np.where(learned, curve.level, np.nan)))[1:]
    if not (
        (curve.level - lowest > lowest) | came
    ).any():  # as in nearly all blocks: nothing is lost
        if learned.any() and not lowest[-1] >= best:
            row = int(np.argmax(lowest == lowest[-1]))
            best, size, classes = lowest[row], sizes[row], labels[row]
        remembered[:5] = best, size, classes, 0.0, first
        return lost, since
    # The first steps may have thrown the loss up; nothing is learned until it is below guessing.
    begun = np.fmin(curve.start, labels)
    for row, level in enumerate(curve.level.tolist()):
        if came[row]:
            best, came_at = np.nan, float(curve.known[row])
            learned[row:] &= curve.known[row:] > came_at + WINDOW
        if learned[row] and not level >= best:
            best, size, classes = level, sizes[row], labels[row]
        back = level - best
        share = 0.5 if known[row] else 1.0
        far = back > best and back > share * (begun[row] - best)
        far &= level > _TERMS * best or not unknown[row]
        far &= back > _SURE * OF_LEVELS * curve.noise[row] and bool(curve.alone[row])
        new = largest[row] > _GROWN * size or labels[row] > _NEW_LABELS * classes
        if not far or not best > 0 or new or of_tasks[row]:
            number = 0.0
            continue
        number, first = (number + 1, first) if number > 0 else (1.0, float(figures.steps[row]))
        lost[row], since[row] = number >= WINDOW, first
    remembered[:] = best, size, classes, number, first, came_at
    return lost, since
