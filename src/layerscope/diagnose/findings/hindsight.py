"""What a warning turns out to be once the run has gone on: a note, where the network learns."""

from dataclasses import replace

from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.measured.loss_curve import FIRST, HALF, TENTH, WINDOW, LossCurve
from layerscope.diagnose.measured.new_classes import SOON
from layerscope.diagnose.thresholds import Thresholds

_OUTGROWN = ("vanishing_gradient", "dead_units", "padding_read", "no_positions")
"""Warnings that say that a network cannot learn: one that has learned has outgrown them."""

_OUTGROWN_IN_PEACE = ("collapsed", "update_too_large")
"""Likewise, of what was so from the first steps on, and is over, unless the loss was thrown up.
Deep sigmoids begin alike, and weights that begin small grow by large steps."""

_PASSING = ("dead_units", "labels_without_signal")
"""Units that are active again were not dead, and a loss below chance has found the signal. Of a
layer of which more is alive than dead a network learns on, if it does, where noise keeps its loss
above half of the start, as of a likelihood of pixels.
"""

_OF_A_RISE = ("loss_rising", "loss_not_falling")
"""Steps that go the wrong way do not bring a loss down again. One that compares a network with a
teacher that is a mean of its own weights (Caron et al. 2021, DINO) begins low, since both are the
same, and rises before it falls."""

_OF_TERMS = ("loss_diverged", "dead_units", "collapsed")
"""A loss of no known kind whose rise is undone has not diverged: a term of it grew, as that of a
code book which an encoder runs away from (van den Oord et al. 2017, VQ-VAE). Until several of the
codes are taken, a decoder gets the same for all samples, and some of its units are silent."""

_OF_GROWING_TARGETS = ("dead_units", "gradient_spike", "loss_diverged", "target_scale")
"""What they tell of grows with the targets: a value that is learned may well have it, and a state
that an agent never comes to has units of its own."""

_OF_NEW_CLASSES = {"loss_diverged": SOON, "gradient_spike": 25}
"""How many steps on new classes explain it: a loss has its own level soon, and half of the 50 steps
of a gradient's median are those of the classes before until then."""

_OF_A_SEARCH = ("collapsed", "dead_units", "gradient_spike", "loss_diverged", "loss_rising",
                "not_finite", "saturated", "update_too_large")  # fmt: skip
"""What steps that are too large do, which a search for the learning rate takes on purpose."""

_HELD_UP = "all that has been learned is to make them smaller"
"""What `overconfident_start` says until the error is below that of the targets' mean."""

_LEFT = 0.25
"""Of that error: what a network leaves that was held up for long, and learned all the same."""

_SEARCH = "nothing, where a rate was searched for and the weights of before it were loaded again"

_LATE = (
    "nothing, where a term of the loss was to begin later, as one with free bits or a weight that "
    "is warmed up; else print each term of the first steps"
)

_TASKS = "nothing, where tasks follow each other; else shuffle the data: DataLoader(shuffle=True)"

_TENTH = 0.1
"""Of chance: a network that has come there was not kept from it by the steps it began with."""

_GROWTH = 1000.0
"""Times that a loss may well grow with them."""


def in_hindsight(
    finding: Finding, curve: LossCurve, last_step: int, thresholds: Thresholds
) -> Finding:
    """The finding, or a note of it where the network has learned since what the warning said it
    could not, where a gradient came late, where functions fill while it learns on, where a spike
    was that of a task that it has solved, where the first steps have mended a start, or where it is
    what comes of targets that grow, of new classes, or of a search for the learning rate.

    Args:
        curve: the run's loss so far.
        last_step: the last one that was judged.
    """
    rule, is_over = finding.rule, finding.last_step + WINDOW <= last_step
    # It was said not to fall at all: some networks begin late.
    was_flat = rule == "loss_not_falling" and finding.value > thresholds.loss_stuck
    in_peace = finding.step < FIRST and is_over and not curve.was_thrown
    is_passing = (
        (rule == "full_batch" and finding.threshold > 0)
        or (rule == "saturated" and finding.step > 0)
        or (rule in _PASSING and is_over)
        or (rule == "dead_units" and finding.worst <= HALF)
        or (was_flat and finding.severity == "warning")
    )
    # Not one that drops too much in any network, nor one after the last layer.
    kept_up = rule == "dropout_high" and finding.threshold == thresholds.dropout_usual
    drawn_once = rule == "weights_overwritten" and finding.threshold == 0  # before the first step
    wants_all_data = rule == "full_batch" and finding.threshold == 0  # its optimizer does
    is_outgrown = finding.severity == "warning" and (
        was_flat
        or rule in _OUTGROWN
        or (rule in _PASSING and is_over)
        or wants_all_data
        or drawn_once
        or kept_up
        or (rule in _OUTGROWN_IN_PEACE and in_peace)
    )
    # First steps that have thrown the loss up, and from which it has come down to a tenth: smaller
    # ones would have taken longer.
    was_overcome = rule == "update_too_large" and finding.step < FIRST and is_over
    was_overcome &= finding.severity == "warning" and curve.is_down_to(TENTH)
    grows = rule in _OF_GROWING_TARGETS and curve.targets_have_grown
    grows &= rule != "loss_diverged" or finding.worst < _GROWTH
    is_undone = rule in _OF_TERMS and is_over and finding.severity == "warning"
    is_undone &= curve.is_of_no_known_kind and curve.is_below_start and curve.has_learned
    # Where the loss says nothing, that units live again, or most always did, is all one knows.
    is_refuted = rule == "dead_units" and finding.severity == "warning"
    is_refuted &= is_over or finding.worst <= HALF
    if (
        grows
        or is_undone
        or was_overcome
        or (is_refuted and curve.tells_nothing)
        or (rule in _OF_A_RISE and is_over and curve.came_down)
        or (is_passing and curve.falls_on)
        or (is_outgrown and curve.has_learned)
        or (
            rule == "gradient_spike" and (curve.is_solved or (is_over and curve.is_solved_in_spite))
        )
        # Of coordinates, say, some functions are at their ends from the first step on, and a layer
        # learns by the others: one that has solved its task was not kept from it.
        or (rule == "saturated" and finding.severity == "warning" and curve.is_solved)
        or (rule == "overconfident_start" and _was_mended(finding, curve))
        or (rule == "overconfident_start" and is_over and _was_mended_late(finding, curve))
    ):
        return replace(finding, severity="note")
    if rule == "no_gradient" and finding.severity == "warning" and is_over and _goes_on(curve):
        told = f"{finding.explanation}; that was so until step {finding.last_step}"
        return replace(finding, severity="note", explanation=told, remedy=_LATE)
    return _of_search(_of_new_classes(finding, curve), curve)


def _goes_on(curve: LossCurve) -> bool:
    """Whether a loss falls that is not down yet: gradients of one that is are no sign of any."""
    return curve.is_below_start and not (curve.is_down_to(TENTH) or curve.was_thrown)


def _of_new_classes(finding: Finding, curve: LossCurve) -> Finding:
    """The finding; or a note of it that says so, where it began and ended with targets of classes
    that had never come before.
    """
    if finding.rule not in _OF_NEW_CLASSES or finding.severity == "note":
        return finding
    if finding.severity == "critical" and not curve.is_below_start:
        return finding
    within = _OF_NEW_CLASSES[finding.rule]
    seen = curve.new_classes.seen_for(finding.step, within)
    if seen is None or curve.new_classes.seen_for(finding.last_step, within) is None:
        return finding
    told = f"the targets of step {seen} are of classes that had never come before"
    explanation = f"{finding.explanation}; {told}, and the loss rises by them"
    return replace(finding, severity="note", explanation=explanation, remedy=_TASKS)


def _of_search(finding: Finding, curve: LossCurve) -> Finding:
    """The finding; or a note of it that says so, where it began in a search for the learning rate
    and ended with that.
    """
    search = curve.rate_search.around(finding.step, finding.last_step)
    if search is None or finding.rule not in _OF_A_SEARCH or finding.severity == "note":
        return finding
    told = "the learning rate rose by the same factor in each of the steps {} to {}, and fell back"
    explanation = f"{finding.explanation}; {told.format(*search)}: a search for the best one"
    return replace(finding, severity="note", explanation=explanation, remedy=_SEARCH)


def _was_mended_late(finding: Finding, curve: LossCurve) -> bool:
    """Whether large outputs held a network up, and it has come down to a quarter of the error of
    the targets' mean since, and falls on. Outputs of n times the targets' size begin with a squared
    error of 1 + n^2 times that of their mean.
    """
    share = _LEFT / (1 + finding.value**2)
    return _HELD_UP in finding.explanation and curve.falls_on and curve.is_down_to(share)


def _was_mended(finding: Finding, curve: LossCurve) -> bool:
    """Whether the loss of classes, in multiples of chance, was below chance within the first steps,
    of weights that are none too large; or is a tenth of it by now, if it began at no more than
    twice the limit.
    """
    of_chance = f"uniform guessing (limit {finding.threshold:g})"
    if of_chance not in finding.explanation:
        return False
    at_once = f"{of_chance}, though" in finding.explanation and curve.fell_below(1 / finding.value)
    mild = finding.value < 2 * finding.threshold
    return at_once or (mild and curve.is_below(_TENTH / finding.value))
