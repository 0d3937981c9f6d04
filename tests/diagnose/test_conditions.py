"""Rules and stories at conditions that no other test comes to: just within, and beyond."""

import itertools
import math
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from layerscope.diagnose import RULES, Judge
from layerscope.diagnose.findings.consequences import CONSEQUENCES
from layerscope.diagnose.findings.rule_groups import (
    BY_GRADIENTS,
    FROM_THE_START,
    OF_GRADIENTS,
    OF_OUTPUTS,
    SEEN_LATE,
    SYMPTOMS,
)
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.questions.simple_network import (
    answers_by_direction,
    dies_by_chance,
    rather,
)
from layerscope.diagnose.rules.learning_rate import ended_in_warm_up
from tests.diagnose.findings.test_story import found, told
from tests.diagnose.test_rules import (
    at_looks,
    healthy,
    layer,
    looks_at_labels,
    looks_at_targets,
    network,
    part_until,
    rules_and_words,
)
from tests.diagnose.test_seen_at_looks import looked


@pytest.mark.parametrize(("column", "same"), [(2, np.nan), (2, 0), (np.nan, 1)])
def test_targets_among_the_inputs_count_as_1_whichever_of_the_two_is_known(column, same):
    figures = looked(target_column=column, targets_are_inputs=same)
    assert rules_and_words(figures)["target_is_input"].value == 1


@pytest.mark.parametrize(("off", "is_told"), [(0.7e-3, True), (1.5e-3, False)])
def test_a_scale_of_cosines_that_moves_by_more_than_a_thousandth_is_learned(off, is_told):
    figures = looked(logit_scale=0.5, candidates=64)
    figures["logit_scale"][10::10] *= 1 + off
    assert ("temperature" in rules_and_words(figures)) == is_told


def test_a_scale_of_cosines_is_known_not_to_move_after_twenty_steps():
    assert rules_and_words(looked(logit_scale=0.5, candidates=64))["temperature"].step == 20


def test_a_scale_of_cosines_that_moves_between_two_blocks_of_steps_is_learned():
    figures = looked(logit_scale=0.5, candidates=64)
    figures["logit_scale"][30:] *= 0.9
    judge = Judge(figures.layers)
    judge.look(part_until(figures, 30))
    judge.look(figures.of_rows(slice(30, None)))
    assert "temperature" not in {each.rule for each in judge.findings}


def test_a_temperature_of_one_ends_what_a_high_one_began():
    figures = looked(temperature=11)
    assert "temperature" in rules_and_words(figures)
    figures["temperature"][20::30] = 1
    assert "temperature" not in rules_and_words(figures)


def test_of_a_high_temperature_and_a_small_scale_the_temperature_is_told():
    both = rules_and_words(looked(temperature=11, logit_scale=0.5, candidates=64))["temperature"]
    assert "divided by 11 " in both.explanation


def targets(size, spread=None, level=None, steps=120):
    """Of a squared error, at a loss that is twice what their mean gives."""
    figures = healthy(network(), steps)
    level = 2 * size**2 if level is None else level
    figures["loss"][:] = level * (1 + 1 / (1 + np.arange(steps)))
    figures["loss_kind"][::10], figures["loss_reduction"][::10] = 6, 1
    figures["target_rms"][::10] = size
    figures["target_std"][::10] = size if spread is None else spread
    return figures


def scale_told(figures):
    return rules_and_words(figures).get("target_scale")


def test_targets_are_small_below_a_hundredth():
    assert scale_told(targets(0.008))
    assert scale_told(targets(0.013)) is None


def test_targets_that_are_all_one_small_number_are_not_too_small():
    assert scale_told(targets(1e-5, spread=0)) is None


def test_targets_hold_a_loss_up_only_where_it_had_time_and_is_on_its_way():
    assert scale_told(targets(1e-5)).step == 80
    assert scale_told(targets(20, steps=75)).severity == "note"
    rising = targets(1e-5)
    rising["loss"][:] = rising["loss"][::-1]
    assert scale_told(rising) is None
    warming = targets(1e-5)
    warming["learning_rate"][:] = np.linspace(1e-4, 1e-3, 120)  # what does not fall yet may fall
    assert scale_told(warming) is None


def test_a_look_that_cannot_be_told_counts_as_another_class_until_one_is_certain():
    assert not looks_at_labels([1, 1, 1, 0, 1, 1], 0, samples=60)  # too few labels by then
    assert not looks_at_labels([1, 0, 1, 1, 1, 1], 0, samples=400)  # too few looks
    assert looks_at_labels([1, 1, 1, 0, 1, 1], 0, samples=100)


def test_targets_are_one_number_up_to_rounding_and_in_steps_that_were_looked_at():
    assert looks_at_targets(0, 0.7e-5)
    assert looks_at_targets(3, 3).last_step == 50


@pytest.mark.parametrize(("reduction", "is_told"), [(1.007, True), (1.015, False)])
def test_an_error_of_several_outputs_is_a_mean_up_to_a_hundredth(reduction, is_told):
    alike = looks_at_targets(1, 2, apart=0, outputs=3, loss_reduction=reduction)
    assert (alike is not None) == is_told


@pytest.mark.parametrize(("of_rewards", "is_told"), [(0, True), (1, False)])
def test_a_loss_of_rewards_that_rises_is_not_said_not_to_fall(of_rewards, is_told):
    figures = healthy(network(), 160)
    figures["loss"][:] = np.linspace(1, 2, 160)
    at_looks(figures, loss_kind=0, output_alone=1, of_rewards=of_rewards)
    assert bool({"loss_not_falling", "loss_rising"} & rules_and_words(figures).keys()) == is_told


@pytest.mark.parametrize(("baseline", "severity"), [(0, "critical"), (1, "note")])
def test_a_network_that_is_a_baseline_altogether_is_warned_of_nowhere(baseline, severity):
    figures = healthy(network())
    figures["saturated"][:, :5], figures["baseline"][::10] = 0.9, baseline
    assert rules_and_words(figures)["saturated"].severity == severity


def test_targets_that_grow_from_one_block_of_steps_to_the_next_have_grown():
    figures = healthy(network(), 160)
    figures["loss"][:] = np.linspace(1, 1.3, 160)
    figures["loss_kind"][::10] = 6
    figures["target_rms"][:80:10], figures["target_rms"][80::10] = 1, 1.6
    judge = Judge(figures.layers)
    judge.look(part_until(figures, 80))
    judge.look(figures.of_rows(slice(80, None)))
    assert "loss_not_falling" not in {each.rule for each in judge.findings}


LINEAR = layer(0, None, 1, width=(4, 3))


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([LINEAR], "straight"),
        ([LINEAR, replace(LINEAR, name="1", path="1", order=1)], ""),
        ([replace(LINEAR, nonlinearity="sigmoid")], ""),
        ([replace(LINEAR, width=None)], ""),
        ([LINEAR, replace(LINEAR, name="1", path="1", order=-1)], "straight"),
    ],
    ids=["one", "two", "with a function", "of no matrix", "beside one that is not called"],
)
def test_one_linear_layer_alone_draws_a_straight_line(layers, words):
    advice = rather(Roles(tuple(layers)))
    assert words in advice if words else not advice


@pytest.mark.parametrize(("units", "words"), [(2, "more units"), (4, "more units"), (5, "")])
def test_a_handful_of_units_is_what_to_change_before_the_labels(units, words):
    last = replace(LINEAR, name="1", path="1", order=1, width=(units, 1), last=True)
    narrow = replace(LINEAR, nonlinearity="tanh", width=(1, units), last=False)
    advice = rather(Roles((narrow, last)))
    assert words in advice if words else not advice
    assert not rather(Roles((narrow, replace(LINEAR, order=2, width=None, weights=("w",)), last)))


BARE = replace(LINEAR, without_bias=True)
CHAIN = [
    replace(BARE, nonlinearity="relu", last=False),
    replace(BARE, name="1", path="1", order=1, nonlinearity="leakyrelu", last=False),
    replace(BARE, name="2", path="2", order=2, nonlinearity="sigmoid", last=True),
]


def test_a_network_of_relus_without_biases_answers_by_the_direction_of_an_input():
    assert answers_by_direction(Roles(tuple(CHAIN)))
    pooled = replace(CHAIN[1], weights=(), width=None, without_bias=False)
    assert answers_by_direction(Roles((CHAIN[0], pooled, CHAIN[2])))


@pytest.mark.parametrize(
    "change",
    [
        {"without_bias": False},
        {"nonlinearity": "tanh"},
        {"normalizes": True},
        {"width": None},
        {"stream": "blocks"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_bias_another_function_or_a_normalisation_lets_it_answer_by_size_too(change):
    first, second, last = CHAIN
    assert not answers_by_direction(Roles((first, replace(second, **change), last)))


def test_a_single_matrix_answers_by_direction_too_and_is_told_as_such():
    assert not answers_by_direction(Roles((CHAIN[2],)))


def relus(*widths):
    layer_of = partial(replace, LINEAR, nonlinearity="relu", last=False)
    return Roles(tuple(layer_of(width=(9, n), order=i, path=str(i)) for i, n in enumerate(widths)))


def test_a_whole_layer_dies_by_chance_among_many_of_few_units_alone():
    assert "about 62% of all draws" in dies_by_chance(relus(*[4] * 15))
    assert dies_by_chance(relus(64, 4)) == dies_by_chance(relus(*[8] * 20)) == ""


def test_a_note_stays_one_unless_a_warning_that_it_risks_follows_from_it():
    for note, beside in (
        ("loss_reduction", found("loss_diverged", "note")),
        ("target_scale", found("stalled")),  # which may follow, and is no risk
    ):
        assert (note, "note", "") in told(found(note, "note"), beside)


def test_what_follows_from_a_note_does_not_follow_from_what_that_note_does():
    assert told(found("dead_units"), found("vanishing_gradient", "note"), found("stalled")) == [
        ("dead_units", "warning", ""),
        ("vanishing_gradient", "note", "dead_units"),
        ("stalled", "warning", ""),
    ]


def test_nothing_follows_from_a_loss_that_does_not_fall():
    whole = found("update_too_small"), found("loss_not_falling", step=79), found("linear_chain")
    assert ("linear_chain", "warning", "") in told(*whole)


@pytest.mark.parametrize(
    ("cause", "since", "rule", "step"),
    [
        ("class_weights", 5, "weights_decay_to_zero", 60),
        ("weights_decay_to_zero", 60, "stalled", 0),
        ("softmax_over_batch", 0, "target_scale", 0),
        ("loss_not_finite", 5, "dead_units", 9),
        ("input_scale", 30, "saturated", 3),  # seen at a look, and true before
        ("loss_rising", 9, "update_too_large", 3),  # seen late
        ("learning_rate_gone", 0, "update_too_small", 0),
    ],
)
def test_what_follows_is_told_under_its_cause(cause, since, rule, step):
    assert told(found(cause, step=since), found(rule, step=step)) == [
        (cause, "warning", ""),
        (rule, "warning", cause),
    ]


@pytest.mark.parametrize(
    ("cause", "since", "rule", "step"),
    [
        ("loss_not_finite", 5, "dead_units", 3),
        ("learning_rate_gone", 0, "full_batch", 80),  # the data are so from the start
    ],
)
def test_what_was_so_before_follows_from_nothing(cause, since, rule, step):
    assert {because for *_, because in told(found(cause, step=since), found(rule, step=step))} == {
        ""
    }


AT_LOOKS = {name for name, rule in RULES.items() if hasattr(rule, "__wrapped__")}
"""Rules that are asked in steps with a look alone."""


def test_what_looks_tell_of_was_so_from_the_start_and_what_layers_show_came_with_steps():
    assert AT_LOOKS & set(CONSEQUENCES) <= FROM_THE_START | SEEN_LATE
    groups = (FROM_THE_START, SEEN_LATE, SYMPTOMS, OF_OUTPUTS, OF_GRADIENTS, BY_GRADIENTS)
    assert frozenset(CONSEQUENCES).union(*groups) <= set(RULES)


def test_each_consequence_of_the_table_is_told_under_its_cause_in_some_story():
    layers = [
        *itertools.product([("01", "02")], [("01", "02"), ("01", "02", "03"), ("01",)]),
        (("03_blocks.1/add",), ("02_blocks.1.norm",)),
    ]
    steps = list(itertools.product((0, 1, 5), repeat=2))
    pairs = {(cause, rule) for cause, rules in CONSEQUENCES.items() for rule in rules}
    # Of two that may follow from each other the one that was always so explains.
    pairs -= {(c, r) for c, r in pairs if (r, c) in pairs and r in FROM_THE_START | SEEN_LATE}
    for cause, rule in pairs:
        assert any(
            (rule, severity, cause)
            in told(in_layers(cause, since, *of), in_layers(rule, step, *its, severity=severity))
            for severity in ("warning", "note")
            for of, its in layers
            for since, step in steps
        ), f"{rule} never follows from {cause}"


def in_layers(rule, step, *names, severity="warning"):
    return replace(found(rule, severity, step, names[0]), layer_names=names)


def test_steps_in_one_layer_may_take_the_gradient_of_another():
    large, lost = in_layers("update_too_large", 3, "05"), in_layers("vanishing_gradient", 5, "01")
    assert ("vanishing_gradient", "warning", "update_too_large") in told(large, lost)


def test_layers_that_were_idle_before_a_gradient_vanished_are_not_so_by_it():
    idle = in_layers("idle", 3, "02")
    lost = in_layers("vanishing_gradient", 9, "01", "02", "03")
    assert ("idle", "warning", "") in told(idle, lost)


def test_each_of_the_branches_that_add_nothing_explains_what_is_in_its_block():
    silent = in_layers("silent_branch", 80, "03_blocks.1/add", "05_blocks.2/add")
    lost = in_layers("no_gradient", 0, "04_blocks.2.norm", "02_blocks.1.norm")
    assert ("no_gradient", "warning", "silent_branch") in told(lost, silent)


def test_notes_go_by_their_step_wherever_they_come_from():
    notes = found("full_batch", "note", step=5), found("input_scale", "note")
    assert [rule for rule, *_ in told(*notes)] == ["input_scale", "full_batch"]


def rated(rates, cuts=(), **others):
    """The finding on such rates while nothing is learned; None without."""
    figures = healthy(network(), len(rates))
    figures["learning_rate"][:] = rates
    figures["loss"][:], figures["label_entropy"][::10] = 1.3, 1.4
    at_looks(figures, **others)
    judge = Judge(figures.layers)
    for first, end in pairwise((0, *cuts, len(rates))):
        judge.look(figures.of_rows(slice(first, end)))
    return next((each for each in judge.findings if each.rule == "learning_rate_gone"), None)


def falls_to(share, at, steps):
    return np.where(np.arange(steps) < at, 1e-3, 1e-3 * share)


@pytest.mark.parametrize(
    ("share", "at", "steps", "is_told"),
    [
        (0.7e-9, 10, 60, True),  # gone
        (1.5e-9, 10, 60, False),
        (0.005, 10, 155, False),  # faded, but not for long enough
        (0.005, 10, 200, True),
        (0.005, 100, 200, False),  # not for most of the run
        (0.5e-4, 80, 130, False),  # sunk, but not for long enough
        (0.5e-4, 370, 400, False),
        (0.5e-4, 340, 400, True),
    ],
)
def test_a_rate_is_gone_faded_or_sunk_by_how_far_and_how_long_it_is_down(share, at, steps, is_told):
    assert (rated(falls_to(share, at, steps)) is not None) == is_told


def test_a_rate_that_is_back_is_not_faded():
    rates = falls_to(0.005, 10, 240)
    rates[190:] = 1e-3
    assert rated(rates).last_step == 189


def test_a_rate_faded_since_the_step_in_which_it_did_wherever_the_run_is_cut():
    rates = 0.01 / (1 + np.arange(400))
    for cuts in ((), (50,), (300,)):
        assert rated(rates, cuts).step == 100


def test_a_rate_that_is_gone_is_told_of_one_optimizer_whose_first_group_it_is():
    gone = falls_to(1e-10, 10, 60)
    assert rated(gone, rate_share=1)
    assert rated(gone, optimizers=2) is None


@pytest.mark.parametrize(("steps", "is_told"), [(140, False), (160, True)])
def test_a_rate_that_compounds_is_told_below_a_tenth(steps, is_told):
    rates = 0.01 * 0.9 ** np.cumsum(np.arange(20)).repeat(20)[:steps]  # 0.109, then 0.052
    assert (rated(rates) is not None) == is_told


@pytest.mark.parametrize(
    ("about", "is_told"),
    [
        ({}, True),
        ({"planned": 4000}, True),  # it will be at 0.4 of what was asked for
        ({"uneven": 0.07}, True),
        ({"uneven": 0.15}, False),
        ({"optimizers": 2}, False),
    ],
)
def test_a_warm_up_is_too_long_if_its_line_ends_below_half_of_what_was_asked_for(about, is_told):
    about = {"planned": 228, "uneven": 0.0, "optimizers": 1} | about
    way = np.cumsum(1 + about["uneven"] * (-1.0) ** np.arange(60))
    found = rated(
        1e-7 * way, rate_asked=1e-3, planned_steps=about["planned"], optimizers=about["optimizers"]
    )
    assert (found is not None) == is_told


@pytest.mark.parametrize(
    ("rates", "losses", "severity"),
    [
        (np.linspace(1e-5, 4e-4, 120), np.full(120, 1.4), "warning"),
        (np.linspace(1e-5, 4e-4, 120), np.linspace(1.4, 0.9, 120), "note"),
        (np.linspace(1e-5, 6e-4, 120), np.full(120, 1.4), None),  # more than half
        (np.full(120, 4e-4), np.full(120, 1.4), None),  # a rate of one's own
        (np.r_[np.linspace(1e-5, 4e-4, 119), 3.9e-4], np.full(120, 1.4), None),
        (np.linspace(1e-5, 4e-4, 70), np.full(70, 1.4), None),  # a few steps, to see it run
    ],
)
def test_a_run_that_ends_while_its_rate_rises_has_ended_in_its_warm_up(rates, losses, severity):
    figures = healthy(network(), len(rates))
    figures["learning_rate"][:], figures["loss"][:] = rates, losses
    told = ended_in_warm_up(figures, 1e-3, 80)
    assert (told and told.severity) == severity
    assert ended_in_warm_up(figures, math.nan, 80) is None
    figures["optimizers"][:] = 2
    assert ended_in_warm_up(figures, 1e-3, 80) is None


def test_a_warm_up_that_begins_anew_does_so_from_the_start():
    assert rated(1e-7 + 1e-4 * (np.arange(240) % 14)).step == 0


@pytest.mark.parametrize(("last", "step"), [(1.3, 50), (0.2, 100)])
def test_a_rate_is_gone_since_it_faded_unless_the_network_has_learned(last, step):
    rates = falls_to(0.005, 50, 150)
    rates[100:] = 1e-13
    figures = healthy(network(), 150)
    figures["learning_rate"][:], figures["loss"][:] = rates, np.geomspace(1.3, last, 150)
    assert rules_and_words(figures)["learning_rate_gone"].step == step


def test_a_rate_that_compounds_does_so_since_it_is_below_a_tenth():
    assert rated(0.01 * 0.9 ** np.cumsum(np.arange(20)).repeat(20)[:160]).step == 140


def test_a_rate_that_stays_below_what_was_asked_for_is_no_warm_up():
    assert rated(np.full(60, 1e-4), rate_asked=1e-3, planned_steps=228) is None


def test_a_note_of_what_is_there_from_the_start_may_follow_from_steps():
    notes = told(found("learning_rate_gone"), found("full_batch", "note", step=80))
    assert ("full_batch", "note", "learning_rate_gone") in notes


def raised(power, loss, update=1e-3, **others):
    """Findings of a run with a loss that is told to be a function of its criterion."""
    figures = healthy(network())
    figures["loss"][:], figures["update_to_weight"][:] = loss, update
    for name, value in {"loss_raised": power, **others}.items():
        figures[name][::5] = value
    judge = Judge(figures.layers)
    judge.look(figures)
    return [f for f in judge.findings if f.rule == "loss_reduction"]


@pytest.mark.parametrize(
    ("power", "loss", "times"), [(1, 20.0, 20.0), (3, 8.0, 12.0), (2, 9.0, 6.0)]
)
def test_a_function_of_a_criterion_is_told_with_what_it_multiplies_gradients_by(power, loss, times):
    (note,) = raised(power, loss)
    assert note.severity == "note"
    assert note.value == pytest.approx(times)
    assert "the criterion itself as the loss" in note.remedy


def test_a_loss_that_is_infinite_at_once_is_a_function_of_its_criterion_still():
    loss = np.r_[46.0, np.full(59, np.inf)]
    (cause,) = raised(1, loss)
    assert (cause.severity, cause.step, cause.value) == ("warning", 0, 46)


@pytest.mark.parametrize(
    ("power", "loss"), [(1, 0.5), (1, np.nan), (0, 20.0), (np.nan, 20.0), (2, -1.0)]
)
def test_what_makes_gradients_no_larger_is_not_told(power, loss):
    assert raised(power, loss) == []


@pytest.mark.parametrize(
    ("passes", "update", "severity"),
    [(8, 0.5, "warning"), (8, 1e-3, None), (16, 1e-3, "note"), (2, 0.5, None)],
)
def test_gradients_of_a_few_passes_are_told_as_a_cause_alone(passes, update, severity):
    of_mean = {"loss_reduction": 1.0, "samples": 32, "squares_averaged": 0}
    told = raised(0, 3.0, update, **of_mean, passes=passes)
    assert [f.severity for f in told] == ([] if severity is None else [severity])
    assert all(f"divided by {passes}" in f.remedy for f in told)


@pytest.mark.parametrize(
    ("looks", "breaks", "told"), [(24, None, True), (18, None, False), (24, 9, False)]
)
def test_a_policy_without_rewards_is_told_after_twenty_looks_in_a_row(looks, breaks, told):
    figures = healthy(network(), 80)
    figures["number_added"][::3] = 0
    figures["rewards_lost"][: 3 * looks : 3] = 1
    if breaks is not None:
        figures["rewards_lost"][3 * breaks] = 0
    for cut in (80, 7):
        judge = Judge(figures.layers)
        for step in range(0, 80, cut):
            judge.look(figures.of_rows(slice(step, step + cut)))
        found = [f for f in judge.findings if f.rule == "penalty_without_gradient"]
        assert bool(found) == told
        assert all(
            "the policy gets the gradient of its entropy alone" in f.explanation for f in found
        )
