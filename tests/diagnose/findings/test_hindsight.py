"""A warning becomes a note where the run has shown that it was none, and in no other case."""

from functools import cache

import numpy as np
import pytest

from layerscope.diagnose import Thresholds
from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.findings.hindsight import in_hindsight
from layerscope.diagnose.measured.loss_curve import LossCurve
from tests.diagnose.measured.test_loss_curve import figures

STEPS = 101


@cache
def curve(end, *, thrown=False, targets=1.0, kind=np.nan):
    """Of a loss that falls from 1, the size of whose targets goes to `targets` times as much."""
    followed = LossCurve()
    losses = np.geomspace(1, end, STEPS)
    if thrown:
        losses[50] = 2.0
    seen = figures(losses)
    seen["target_rms"][:] = np.geomspace(1, targets, STEPS)
    seen["loss_kind"][:] = kind
    followed.of(seen)
    return followed


FLAT, FALLS, LEARNED, SOLVED = (curve(end) for end in (1.0, 0.6, 0.3, 0.03))
FAR_DOWN = curve(0.002)
UNTOLD = LossCurve()
UNTOLD.of(figures(np.full(STEPS, np.nan)))
CRITIC, BELOW = LossCurve(), LossCurve()
for followed, kind in ((CRITIC, 0), (BELOW, 6)):
    seen = figures(np.sin(np.arange(STEPS) / 13))
    seen["loss_kind"][:] = kind
    followed.of(seen)
THROWN, GROWN = curve(0.3, thrown=True), curve(1.0, targets=100.0)
TERMS, SQUARES, TERMS_FLAT = (
    curve(end, thrown=True, kind=k) for end, k in ((0.3, 0), (0.3, 6), (1.0, 0))
)


def test_the_curves_are_what_they_are_called():
    assert (FLAT.falls_on, FLAT.has_learned, FLAT.targets_have_grown) == (False, False, False)
    assert (FALLS.falls_on, FALLS.has_learned) == (True, False)
    assert (LEARNED.falls_on, LEARNED.has_learned, LEARNED.is_solved) == (True, True, False)
    assert SOLVED.is_solved
    assert (THROWN.falls_on, THROWN.has_learned) == (False, True)
    assert (GROWN.targets_have_grown, GROWN.falls_on) == (True, False)


def severity(rule, curve, severity="warning", **of):
    about = {"step": 0, "last_step": 50, "value": 1.0, "worst": 1.0, "threshold": 0.5} | of
    finding = Finding(rule, severity, "00", layers=1, source="", explanation="", remedy="", **about)
    return in_hindsight(finding, curve, STEPS - 1, Thresholds()).severity


@pytest.mark.parametrize(
    ("rule", "curve", "of"),
    [
        *((rule, THROWN, {}) for rule in ("vanishing_gradient", "padding_read", "no_positions")),
        ("dead_units", THROWN, {"last_step": 100}),
        ("collapsed", LEARNED, {"last_step": 80, "step": 4}),
        ("update_too_large", LEARNED, {}),
        ("loss_not_falling", THROWN, {"value": 0.99}),
        ("loss_not_falling", FALLS, {"value": 0.99}),
        ("full_batch", FALLS, {}),
        ("full_batch", THROWN, {"threshold": 0.0}),
        ("weights_overwritten", LEARNED, {"threshold": 0.0}),
        *(("no_gradient", of, {"last_step": 80}) for of in (FALLS, LEARNED)),
        ("saturated", FALLS, {"step": 1}),
        ("labels_without_signal", FALLS, {}),
        ("dropout_high", LEARNED, {"threshold": Thresholds().dropout_usual}),
        ("dead_units", FALLS, {}),
        ("dead_units", FALLS, {"last_step": 100, "worst": 0.5}),
        *((rule, SOLVED, {}) for rule in ("gradient_spike", "saturated")),
        ("dead_units", GROWN, {"worst": 2000.0}),
        *(("dead_units", of, {}) for of in (UNTOLD, CRITIC)),
        ("dead_units", UNTOLD, {"last_step": 100, "worst": 0.5}),
        ("gradient_spike", GROWN, {}),
        ("target_scale", GROWN, {}),
        ("loss_diverged", GROWN, {"worst": 999.0}),
        *((rule, TERMS, {"step": 20}) for rule in ("loss_diverged", "dead_units", "collapsed")),
    ],
)
def test_what_the_run_has_shown_to_be_none_is_a_note(rule, curve, of):
    assert severity(rule, curve, **of) == "note"


@pytest.mark.parametrize(
    ("rule", "curve", "of"),
    [
        *((rule, FALLS, {}) for rule in ("vanishing_gradient", "padding_read", "no_positions")),
        ("vanishing_gradient", LEARNED, {"severity": "critical"}),
        ("collapsed", LEARNED, {"last_step": 81}),  # not over yet
        ("collapsed", LEARNED, {"step": 5}),  # not from the start
        ("collapsed", THROWN, {}),
        ("collapsed", FALLS, {}),
        ("loss_not_falling", LEARNED, {"value": 0.9}),
        ("loss_not_falling", FALLS, {"value": 0.99, "severity": "critical"}),
        ("loss_not_falling", FLAT, {"value": 0.99}),
        ("full_batch", FALLS, {"threshold": 0.0}),
        ("weights_overwritten", FALLS, {"threshold": 0.0}),
        *(("no_gradient", of, {"last_step": 80}) for of in (FLAT, SOLVED, THROWN, UNTOLD)),
        ("no_gradient", FALLS, {"last_step": 81}),
        ("no_gradient", FALLS, {"last_step": 80, "severity": "critical"}),
        ("weights_overwritten", LEARNED, {"threshold": 3.0}),
        ("full_batch", THROWN, {}),
        *(("saturated", of, {}) for of in (FALLS, LEARNED)),
        ("saturated", SOLVED, {"severity": "critical"}),
        ("labels_without_signal", FALLS, {"last_step": 81}),
        ("dead_units", FLAT, {}),
        ("dropout_high", FALLS, {"threshold": Thresholds().dropout_usual}),
        ("dropout_high", LEARNED, {"threshold": Thresholds().dropout_high}),
        ("dropout_high", LEARNED, {"value": 0.48, "threshold": 0.02}),
        ("dead_units", FALLS, {"last_step": 100, "worst": 0.51}),
        ("dead_units", FLAT, {"last_step": 100, "worst": 0.5}),
        ("dead_units", UNTOLD, {"last_step": 81, "worst": 0.51}),  # not over yet
        ("dead_units", UNTOLD, {"severity": "critical"}),
        ("dead_units", CRITIC, {"last_step": 100, "worst": 0.51}),
        *(("dead_units", of, {}) for of in (BELOW, TERMS_FLAT)),
        *(("collapsed", of, {}) for of in (UNTOLD, CRITIC)),
        ("gradient_spike", LEARNED, {}),
        ("loss_diverged", GROWN, {"worst": 1001.0}),
        ("loss_diverged", SOLVED, {}),
        *((rule, SQUARES, {"step": 20}) for rule in ("loss_diverged", "collapsed")),
        *((rule, TERMS_FLAT, {}) for rule in ("loss_diverged", "collapsed", "dead_units")),
        ("loss_diverged", TERMS, {"last_step": 81}),  # not over yet
        ("loss_diverged", TERMS, {"severity": "critical"}),
        ("saturated", GROWN, {}),
        # What a user wrote stays what it is, whatever comes of it.
        *(("input_scale", of, {"value": 0.99}) for of in (SOLVED, GROWN)),
        ("input_scale", LEARNED, {"threshold": 0.0}),
        ("input_scale", LEARNED, {"step": 10}),
    ],
)
def test_everything_else_stays_as_its_rule_made_it(rule, curve, of):
    assert severity(rule, curve, **of) == of.get("severity", "warning")


@pytest.mark.parametrize(
    ("times", "words", "expected"),
    [
        (1.6, "uniform guessing (limit 1.5), though", "note"),  # the fifth is half
        (2.5, "uniform guessing (limit 1.5), though", "warning"),  # not yet below chance
        (1.6, "uniform guessing (limit 1.5)", "warning"),  # weights are large
        (1.6, "times as large as the targets (limit 1.5), though", "warning"),
    ],
)
def test_a_start_that_a_few_steps_have_mended_is_a_note(times, words, expected):
    falls = LossCurve()
    falls.of(figures(np.r_[1.0, 0.9, 0.8, 0.7, 0.5, np.full(60, 0.45)]))
    finding = Finding(
        *("overconfident_start", "warning", "00", 0, 1, 0, times, times, 1.5, "", words, "")
    )
    assert in_hindsight(finding, falls, 64, Thresholds()).severity == expected


@pytest.mark.parametrize(("level", "expected"), [(0.05, "note"), (0.07, "warning")])
def test_a_start_that_a_network_has_solved_its_task_from_is_a_note(level, expected):
    falls = LossCurve()
    falls.of(figures(np.r_[np.ones(20), np.full(60, level)]))
    finding = Finding(
        *("overconfident_start", "warning", "00", 0, 1, 0, 1.8, 1.8, 1.5, ""),
        *("uniform guessing (limit 1.5): {layer} starts too sure", ""),
    )
    assert in_hindsight(finding, falls, 79, Thresholds()).severity == expected


@pytest.mark.parametrize(("last", "expected"), [(30, "note"), (75, "warning")])
def test_a_signal_that_was_found_late_is_no_lack_of_one_whatever_one_batch_cost(last, expected):
    curve = LossCurve()
    curve.of(figures(np.r_[np.full(30, 1.8), 3.0, np.full(60, 0.1)]))
    finding = Finding(
        *("labels_without_signal", "warning", "loss", 20, 0, last, 0.99, 0.99, 0.98, "", "", "")
    )
    assert curve.was_thrown
    assert in_hindsight(finding, curve, 90, Thresholds()).severity == expected


@pytest.mark.parametrize(
    ("curve", "words", "last_step", "expected"),
    [
        (FAR_DOWN, "all that has been learned is to make them smaller", 50, "note"),
        (FAR_DOWN, "all that has been learned is to make them smaller", 81, "warning"),  # still so
        # About the error of the targets' mean: the start is 33 times that.
        (SOLVED, "all that has been learned is to make them smaller", 50, "warning"),
        (FLAT, "all that has been learned is to make them smaller", 50, "warning"),
        (THROWN, "all that has been learned is to make them smaller", 50, "warning"),
        (FAR_DOWN, "the first steps are spent on making them small", 50, "warning"),
    ],
)
def test_outputs_that_held_a_network_up_are_a_note_once_it_has_learned(
    curve, words, last_step, expected
):
    about = {"explanation": f"the loss is above that of the targets' mean: {words}", "remedy": ""}
    finding = Finding(
        "overconfident_start", "warning", "00", 0, 1, last_step, 5.7, 5.7, 3.0, "", **about
    )
    assert in_hindsight(finding, curve, STEPS - 1, Thresholds()).severity == expected


@pytest.mark.parametrize(
    ("rule", "of", "expected"),
    [
        ("loss_diverged", {"step": 40, "last_step": 42}, "note"),
        ("loss_diverged", {"step": 31, "last_step": 45}, "note"),
        ("loss_diverged", {"step": 29, "last_step": 42}, "warning"),  # before the last look
        ("loss_diverged", {"step": 40, "last_step": 46}, "warning"),
        ("loss_diverged", {"step": 40, "last_step": 42, "severity": "critical"}, "note"),
        ("gradient_spike", {"step": 65, "last_step": 65}, "note"),
        ("gradient_spike", {"step": 66, "last_step": 66}, "warning"),
        ("update_too_large", {"step": 40, "last_step": 40}, "warning"),
    ],
)
def test_what_begins_as_new_classes_come_is_theirs(rule, of, expected):
    followed, seen = LossCurve(), figures(np.geomspace(1, 0.7, STEPS))
    seen["labels_new"][:41:10] = [np.nan, 0, 0, 0, 0.5]
    followed.of(seen)
    again = LossCurve()
    again.load_state(followed.state())
    assert severity(rule, followed, **of) == severity(rule, again, **of) == expected


def test_a_critical_rise_with_new_classes_stays_until_it_is_over():
    followed, seen = LossCurve(), figures(np.geomspace(1, 3, STEPS))
    seen["labels_new"][:41:10] = [np.nan, 0, 0, 0, 0.5]
    followed.of(seen)
    about = {"step": 40, "last_step": 42, "severity": "critical"}
    assert severity("loss_diverged", followed, **about) == "critical"
