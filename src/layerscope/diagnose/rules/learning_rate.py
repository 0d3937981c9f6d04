"""A learning rate of nothing: a schedule has ended, or has never begun."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Finding, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.losses.loss_kind import OF_BITS, OF_CLASSES
from layerscope.diagnose.measured.figures import Flags
from layerscope.diagnose.measured.loss_curve import FIRST, HALF, WINDOW
from layerscope.diagnose.questions import rate_shapes
from layerscope.diagnose.questions.solved import is_learning, left_of_chance

_GONE = 1e-9
"""Of the largest rate. A cosine that ends at 0 is below for 20 steps only if it took a million."""

_FADED = 0.01
"""Of the largest rate. What Keras calls decay, lr / (1 + decay * step), is meant to be 1e-6 or so;
of 1 it makes steps of a hundredth within a hundred."""

_MOSTLY = 2 / 3
"""Of the steps so far: a cosine spends the last 6 % of its steps below a hundredth, and a rate that
is divided by ten at each third of a training none."""

_SUNK, _PART = 1e-4, 0.1
"""Of the largest rate, and of the steps so far: a cosine spends 0.6 % of its steps below that, one
that ends at a tenth of a thousandth none, and a straight line a hundredth of a percent."""

_TENTH = 0.1

_HALF_OF_ASKED = 0.5
"""Of the rate that a schedule was made with: what a warm-up has to reach within the training."""

_MEAN = 0.01
"""How far from 1 the reduction of a mean may be read."""

_GONE_ADVICE = (
    Advice(
        "the learning rate is down to {value:.2g} of what it was: nothing moves any more",
        "scheduler.step() once an epoch if its numbers are epochs; else give it the number of "
        "steps that the training really has",
    ),
    Advice(
        "the learning rate is 0, and has never been more: nothing moves",
        "scheduler.step() after each optimizer.step(): a warm-up that begins at 0 never leaves "
        "it otherwise; else see what optimizer.lr is",
    ),
    Advice(
        "the learning rate has been below {threshold:.0%} of what it was for most of the run, and "
        "the loss is still above half of what guessing costs: the schedule ended before the "
        "network had learned",
        "a schedule that falls more slowly: scheduler.step() once an epoch if its numbers are "
        "epochs; else give it the number of steps that the training really has",
        (_FADED, _FADED, np.nan),
    ),
    Advice(
        "the warm-up is longer than the training: at the last step the learning rate will have "
        "come to {value:.1%} of what was asked for",
        "a warm-up of a tenth of the steps or less (warmup_steps, num_warmup_steps), counted "
        "in the optimizer's steps, not in batches or samples",
        (_HALF_OF_ASKED, _HALF_OF_ASKED, np.nan),
    ),
    Advice(
        "each change of the learning rate is by a higher power of one factor than the change "
        "before: it is down to {value:.2g} of what it was, and the loss is still above half of "
        "what guessing costs",
        "lr = first_lr * factor ** epoch, from the rate that the training began with: applied to "
        "the rate of the epoch before, the powers multiply up",
        (_TENTH, _TENTH, np.nan),
    ),
    Advice(
        "the learning rate is down to {value:.2g} of what it was, and the loss is still above "
        "half of what guessing costs: hardly anything moves any more",
        "a schedule that falls more slowly, or lr = first_lr * factor ** epoch where each "
        "epoch's rate is made of the last one's; scheduler.step() once an epoch if its "
        "numbers are epochs",
        (_SUNK, _SUNK, np.nan),
    ),
    Advice(
        "the learning rate rises and falls back to its lowest value in a single step, again and "
        "again: the warm-up starts over each time and never ends",
        "number the steps of a warm-up through all epochs, epoch * len(loader) + batch, and "
        "make the scheduler once, before the loop over epochs",
        (1.0, 1.0, np.nan),
    ),
    Advice(
        "ReduceLROnPlateau(mode='max') has cut the learning rate {value:.0f} times, and has been "
        "given nothing larger since its first values, while the loss has fallen: it waits for "
        "something to rise that seems to be meant to fall",
        "mode='min' where scheduler.step() gets a loss or an error; mode='max' is for an "
        "accuracy, and if it is one, it has been best at the start",
        (1.0, 1.0, np.nan),
    ),
    Advice(
        "the learning rate has been {value:.2g} of what the optimizer was made with from the first "
        "step on, or less, and has never risen: a schedule has made it so",
        "a schedule that begins at 1: a function for LambdaLR returns a factor, by which the "
        "optimizer's rate is multiplied, and no rate; else see that a warm-up, if it is one, ends",
        (_FADED, _FADED, np.nan),
    ),
    Advice(
        "the learning rate is 0, and has never been more: nothing moves",
        "see what optimizer.lr is: a factor that is 0, or a division of whole numbers, makes it 0; "
        "else, of a warm-up that begins at 0, scheduler.step() after each optimizer.step()",
    ),
    Advice(
        "ReduceLROnPlateau(mode='min') has cut the learning rate {value:.0f} times: it has been "
        "given nothing smaller since its first values, which are less than half of the loss, while "
        "the loss has fallen: it seems to get something that is meant to rise",
        "mode='max' where scheduler.step() gets an accuracy or a score: each gain counts as a "
        "plateau otherwise",
        (1.0, 1.0, np.nan),
    ),
)
_IN_VAIN, _NO_FACTOR, _MADE_SO, _OF_RISE = 7, 8, 9, 10


@rule_of_run("learning_rate_gone")
def learning_rate_gone(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Learning rate / the largest so far; or, of one that rises to the training's end, what it
    comes to / what was asked for.
    """
    rates = figures["learning_rate"].astype(np.float64)
    of_groups = memory.known_of_layers("shares", figures["rate_share"])
    rates[(rates == 0) & (of_groups == 1).any(axis=1)] = np.nan
    highest = memory.highest("largest", rates)
    curve = memory.loss_curve.of(figures)
    learned = curve.level < HALF * curve.start
    values = np.where(highest > 0, rates / np.where(highest > 0, highest, 1), 0.0)
    values[np.isnan(rates) | ~curve.alone] = np.nan
    ill = values <= _GONE
    faded = values < _FADED * (1 - 1e-6)  # twice a tenth is none
    count = memory.so_far("faded", faded)
    faded_at = memory.first("faded_at", np.where(faded, figures.steps, np.nan))
    long = curve.known >= 2 * thresholds.patience
    early = faded & ~ill & (count > _MOSTLY * curve.known) & long
    left = left_of_chance(figures, memory)
    early &= left > HALF
    sunk = (values < _SUNK) & ~ill
    sunk &= (memory.so_far("sunk", sunk) > _PART * curve.known) & long & (left > HALF)
    compound = rate_shapes.compounds(np.where(curve.alone, rates, np.nan), memory)
    compound &= (values < _TENTH) & (left > HALF) & ~ill
    anew = rate_shapes.begins_anew(np.where(curve.alone, rates, np.nan), figures.steps, memory)
    anew &= (left > HALF) & long
    asked = memory.known("asked", figures["rate_asked"])
    lowered = (highest < _FADED * (1 - 1e-6) * asked) & ~ill & curve.alone & (left > HALF)
    lowered &= rate_shapes.never_rises(rates, curve.known, thresholds.patience, memory)
    at_last = rate_shapes.at_the_end(figures, rates, asked, memory)
    endless = (at_last < _HALF_OF_ASKED) & curve.alone
    values = np.where(endless, at_last, values)
    values = np.where(lowered, highest / asked, values)
    late = early | sunk | compound
    cuts = memory.known("cuts", figures["cuts_in_vain"])
    best = memory.known("best", figures["vain_best"])
    in_vain = (np.abs(cuts) > 0) & is_learning(figures, memory) & curve.alone
    # A loss that is measured in evaluation may be smaller than in training, and not by that much.
    small = (best >= 0) & (best <= 1) & (best < HALF * curve.level) & (left > HALF)
    of_rise = in_vain & (cuts < 0) & small & _is_of_labels(figures, memory)
    in_vain &= (cuts > 0) | of_rise
    values = np.where(in_vain, np.abs(cuts), values)
    severity = np.where(ill, np.where(learned, 1, 2), np.where(late | endless, 2, 0))
    severity[anew | lowered] = 2
    severity = np.where(in_vain, np.where(of_rise | (best > 1), 2, np.fmax(severity, 1)), severity)
    begun = memory.of_run("warm", 4)[1]
    severity[figures.steps == begun] = 0  # a warm-up may well begin at a rate of 0
    return Symptoms.of_run(
        "optimizer",
        values,
        severity,
        *_GONE_ADVICE,
        limits=(_GONE, _GONE, np.nan),
        source="torch.optim.lr_scheduler: a scheduler counts its own steps",
        lasting=thresholds.warm_up,
        cause=np.select(
            (of_rise, in_vain, anew, endless, lowered, compound, early, sunk),
            (_OF_RISE, _IN_VAIN, 6, 3, _NO_FACTOR, 4, 2, 5),
            np.where(highest > 0, 0, np.where(np.isnan(asked), _MADE_SO, 1)),
        ),
        since=np.where(
            ~(highest > 0) | endless | anew | lowered,
            np.nan_to_num(begun),
            np.where(
                (late | (ill & ~learned)) & ~np.isnan(faded_at),
                np.nan_to_num(faded_at),
                figures.steps,
            ),
        ).astype(np.int64),
        falling=True,
    )


def _is_of_labels(figures: Figures, memory: Memory) -> Flags:
    """Whether the loss is a mean of a cross-entropy or a binary one, as last looked at, [steps]."""
    of_labels = np.isin(figures["loss_kind"], (*OF_CLASSES, *OF_BITS))
    of_labels &= np.abs(figures["loss_reduction"] - 1) < _MEAN
    looked = np.where(np.isnan(figures["loss_kind"]), np.nan, of_labels)
    return memory.known("of_labels", looked) == 1


_STANDS = 0.9
"""Of the first losses: a language model's falls below within some hundred steps of a warm-up."""


def ended_in_warm_up(
    figures: Figures, asked: float, patience: int, *, stands: bool = False
) -> Finding | None:
    """The finding of a training that has ended while its rate still rose, far below the one asked
    for; None without. A note where the loss has fallen: the run may be the first part of a longer
    one.

    Args:
        figures: of steps from the first to the last, of which some may be left out.
        asked: the rate that the schedule rises to; NaN if there is none.
        patience: steps that a run must have.
        stands: whether the loss is known not to have fallen; else what is left of it tells.
    """
    rates = figures["learning_rate"].astype(np.float64)
    rates, losses = rates[~np.isnan(rates)], figures["loss"][~np.isnan(figures["loss"])]
    if not len(rates) or figures.steps[-1] < patience or (figures["optimizers"] > 1).any():
        return None
    rises = rates[-1] > rates[0] and bool((np.diff(rates) >= 0).all())
    if not (rises and rates[-1] < _HALF_OF_ASKED * asked):
        return None
    left = losses[-WINDOW:].mean() / losses[:FIRST].mean() if len(losses) > WINDOW else 0.0
    stands |= bool(left > _STANDS)
    share, step = float(rates[-1] / asked), int(figures.steps[-1])
    return Finding(
        rule="learning_rate_gone",
        severity="warning" if stands else "note",
        layer="optimizer",
        step=0 if stands else step,
        layers=0,
        last_step=step,
        value=share,
        worst=share,
        threshold=_HALF_OF_ASKED,
        source="torch.optim.lr_scheduler: a scheduler counts its own steps",
        explanation="the training ended in its warm-up: the learning rate rose to the last step, "
        f"and had come to {share:.1%} of what was asked for",
        remedy="a warm-up of a tenth of the steps or less, counted as scheduler.step() is called: "
        "once a batch, not once an epoch, if its numbers are steps; change nothing if training "
        "goes on",
    )
