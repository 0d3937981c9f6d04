"""Causes come before what follows from them."""

from dataclasses import replace

import pytest

from layerscope.diagnose.findings.consequences import CONSEQUENCES
from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.findings.story import WHY_IT_DIVERGES, story


def found(rule, severity="warning", step=0, layer="00"):
    return Finding(rule, severity, layer, step, 1, step, 1.0, 1.0, 0.5, "", "", "")


def told(*findings):
    return [(each.rule, each.severity, each.because) for each in story(findings)]


def test_a_cause_is_told_first_and_what_follows_from_it_under_it():
    assert told(
        found("saturated", "critical"), found("input_scale"), found("loss_not_falling", step=80)
    ) == [
        ("input_scale", "warning", ""),
        ("saturated", "critical", "input_scale"),
        ("loss_not_falling", "warning", "input_scale"),
    ]


def test_what_the_loss_makes_of_the_data_comes_before_the_data():
    rules = [rule for rule, *_ in told(found("input_scale"), found("softmax_of_one"))]
    assert rules == ["softmax_of_one", "input_scale"]


def test_a_note_becomes_a_warning_if_what_it_risks_has_come():
    assert told(found("loss_reduction", "note")) == [("loss_reduction", "note", "")]
    assert told(found("loss_reduction", "note"), found("loss_diverged")) == [
        ("loss_reduction", "warning", ""),
        ("loss_diverged", "warning", "loss_reduction"),
    ]


def test_what_is_nan_has_no_spread_and_moves_nothing():
    lost = found("not_finite", "critical", 1)
    rules = ("idle", "no_gradient", "collapsed")
    after = [found(rule, "critical", 2) for rule in rules]
    assert told(*after, lost)[0] == ("not_finite", "critical", "")
    assert {(rule, because) for rule, _, because in told(*after, lost)[1:]} == {
        (rule, "not_finite") for rule in rules
    }


def test_steps_too_small_keep_the_loss_where_it_is():
    assert told(found("loss_not_falling", step=79), found("update_too_small")) == [
        ("update_too_small", "warning", ""),
        ("loss_not_falling", "warning", "update_too_small"),
    ]


def test_logits_that_grow_bring_about_a_collapse_that_is_told_before():
    assert told(found("attention_collapse", step=45), found("attention_logit_growth", step=91)) == [
        ("attention_logit_growth", "warning", ""),
        ("attention_collapse", "warning", "attention_logit_growth"),
    ]


def test_a_branch_that_adds_nothing_has_layers_without_a_gradient():
    silent = found("silent_branch", step=80, layer="03_blocks.1/add")
    within, beside = (found("no_gradient", layer=f"0{n}_blocks.1{n}.norm") for n in (".", 0))
    assert told(within, silent) == [
        ("silent_branch", "warning", ""),
        ("no_gradient", "warning", "silent_branch"),
    ]
    assert {because for *_, because in told(beside, silent)} == {""}


def test_uniform_attention_is_no_note_where_the_loss_does_not_fall():
    assert told(found("attention_uniform", "note", 85), found("loss_not_falling", step=80)) == [
        ("attention_uniform", "warning", ""),
        ("loss_not_falling", "warning", "attention_uniform"),
    ]


def test_a_network_without_a_function_is_told_first_and_is_not_why_steps_are_too_large():
    assert told(found("linear_chain"), found("update_too_large", "critical")) == [
        ("linear_chain", "warning", ""),
        ("update_too_large", "critical", ""),
    ]
    note = told(found("linear_chain", "note"), found("update_too_large", "critical"))
    assert note[0][0] == "update_too_large"


def test_of_causes_of_the_start_the_one_that_something_critical_follows_from_is_first():
    chain, start = found("linear_chain"), found("overconfident_start")
    assert told(chain, start, found("loss_diverged", "critical", 1)) == [
        ("overconfident_start", "warning", ""),
        ("linear_chain", "warning", ""),
        ("loss_diverged", "critical", "overconfident_start"),
    ]
    assert told(chain, start, found("loss_diverged", step=1))[0][0] == "linear_chain"


def test_causes_of_the_start_stand_side_by_side_before_all_that_follows_from_them():
    assert told(
        found("saturated", "critical"),
        found("target_scale"),
        found("loss_after_activation", step=128),
        found("input_scale"),
        found("loss_not_falling", step=80),
        found("unexpected"),
    ) == [
        ("input_scale", "warning", ""),
        ("loss_after_activation", "warning", ""),
        ("target_scale", "warning", ""),
        ("saturated", "critical", "input_scale"),
        ("loss_not_falling", "warning", "input_scale"),
        ("unexpected", "warning", ""),
    ]


def test_a_rate_of_nothing_from_the_start_on_stands_before_what_is_frozen():
    frozen, flat = found("frozen_untrained"), found("loss_not_falling", step=79)
    for step, order in ((0, ["learning_rate_gone", "frozen_untrained"]), (500, None)):
        whole = told(frozen, found("learning_rate_gone", step=step), flat)
        assert [rule for rule, *_ in whole][:2] == (order or ["frozen_untrained", flat.rule])


@pytest.mark.parametrize(
    ("cause", "is_said"), [("target_scale", True), ("update_too_large", False)]
)
def test_a_cause_of_the_start_says_that_the_loss_may_diverge_by_it(cause, is_said):
    whole = story([found(cause), found("loss_diverged", "critical", step=1)])
    assert [each.explanation for each in whole] == [WHY_IT_DIVERGES * is_said, ""]


def test_what_came_before_does_not_follow():
    assert told(found("dead_units", step=3), found("loss_diverged", step=9)) == [
        ("dead_units", "warning", ""),
        ("loss_diverged", "warning", ""),
    ]
    assert told(found("dead_units", step=9), found("loss_diverged", step=3)) == [
        ("loss_diverged", "warning", ""),
        ("dead_units", "warning", "loss_diverged"),
    ]


def test_of_two_that_may_follow_from_each_other_the_earlier_one_explains():
    for first, later in (
        ("update_too_large", "loss_diverged"),
        ("loss_diverged", "update_too_large"),
    ):
        assert told(found(later, step=4), found(first, step=3))[0] == (first, "warning", "")
    for step, first in ((0, "saturated"), (5, "overconfident_start")):  # nearer to the data
        (_, _, because), (_, _, of_second) = told(
            found("saturated", step=step), found("overconfident_start")
        )
        assert (because, of_second) == ("", first)


def test_what_starts_sure_of_the_wrong_makes_large_steps():
    whole = found("update_too_large", step=0), found("overconfident_start"), found("loss_diverged")
    assert [because for *_, because in told(*whole)] == ["", *["overconfident_start"] * 2]
    infinite = found("not_finite", "critical"), found("overconfident_start")
    assert told(*infinite)[0] == ("not_finite", "critical", "")  # large is what it makes


def test_of_causes_of_the_start_the_table_says_which_comes_first():
    whole = found("negative_loss", step=37), found("target_out_of_range")
    assert [rule for rule, *_ in told(*whole)] == ["negative_loss", "target_out_of_range"]
    assert told(*whole)[1][2] == "negative_loss"
    note = found("negative_loss", "note", step=37)
    assert told(note, whole[1])[1] == ("negative_loss", "note", "target_out_of_range")


@pytest.mark.parametrize("rule", ["dead_units", "saturated", "idle", "collapsed", "biased"])
def test_what_layers_give_explains_a_gradient_that_is_lost_in_those_layers(rule):
    vanishing = replace(found("vanishing_gradient", "critical"), layer_names=("01", "02"))
    for layers, because in ((("01", "02", "03"), rule), (("02", "03"), "")):
        ill = replace(found(rule), layer_names=layers)
        assert ("vanishing_gradient", "critical", because) in told(ill, vanishing)
        assert (rule, "warning", "") in told(ill, vanishing) or not because


@pytest.mark.parametrize("rule", ["idle", "collapsed"])
def test_where_more_layers_lose_the_gradient_what_they_give_follows_from_the_same(rule):
    vanishing = replace(found("vanishing_gradient", "critical"), layer_names=("01", "02", "03"))
    small = replace(found(rule), layer_names=("02", "03", "04"))
    assert told(small, vanishing) == [
        ("vanishing_gradient", "critical", ""),
        (rule, "warning", "vanishing_gradient"),
    ]


def test_behind_a_collapse_there_is_little_to_learn_from():
    slow = replace(found("update_too_small"), layer_names=("01",))
    assert ("update_too_small", "warning", "collapsed") in told(found("collapsed"), slow)


@pytest.mark.parametrize("rule", ["dead_units", "no_gradient"])
def test_what_is_there_at_step_0_is_not_made_by_a_decay_and_leaves_the_weights_to_it(rule):
    decays = found("weights_decay_to_zero", step=60)
    for step, order in (
        (0, [rule, "weights_decay_to_zero"]),
        (20, ["weights_decay_to_zero", rule]),
    ):
        cause, consequence = told(found(rule, step=step), decays)
        assert [cause[0], consequence[0]] == order
        assert consequence[2] == cause[0]


def test_what_follows_from_a_consequence_is_told_under_the_first_cause():
    assert told(
        found("dead_units", step=4),
        found("vanishing_gradient", "critical", step=12),
        found("update_too_small", step=20),
    ) == [
        ("dead_units", "warning", ""),
        ("vanishing_gradient", "critical", "dead_units"),
        ("update_too_small", "warning", "dead_units"),
    ]


def test_what_explains_nothing_goes_by_severity_and_notes_come_last():
    assert [
        rule
        for rule, *_ in told(
            found("biased", "note"), found("gradient_spike"), found("stalled", "critical", step=5)
        )
    ] == ["stalled", "gradient_spike", "biased"]


def test_a_note_of_what_was_written_stands_before_one_of_what_layers_show():
    notes = found("dead_units", "note", step=3), found("target_scale", "note", step=160)
    assert [rule for rule, *_ in told(*notes)] == ["target_scale", "dead_units"]


def test_no_rule_follows_from_itself():
    for cause, consequences in CONSEQUENCES.items():
        assert cause not in consequences


def test_a_logarithm_of_what_no_softmax_has_made_explains_a_loss_that_is_not_finite_later():
    unmade, lost = found("loss_after_activation", step=0), found("loss_not_finite", "critical", 8)
    assert [(rule, because) for rule, _, because in told(lost, unmade)] == [
        ("loss_after_activation", ""),
        ("loss_not_finite", "loss_after_activation"),
    ]
    at_once = replace(lost, step=0)
    assert told(at_once, unmade)[0][0] == "loss_not_finite"


def test_a_loss_that_finite_outputs_give_none_of_is_not_put_down_to_the_inputs_scale():
    lost = found("loss_not_finite", "critical", 1)
    assert told(lost, found("input_scale"))[0] == ("loss_not_finite", "critical", "")


@pytest.mark.parametrize("cause", ["in_evaluation_mode", "target_scale"])
def test_a_loss_that_is_not_finite_late_follows_from_what_is_wrong_since_the_start(cause):
    late, at_once = (found("loss_not_finite", "critical", step) for step in (172, 0))
    assert told(late, found(cause))[1] == ("loss_not_finite", "critical", cause)
    assert told(at_once, found(cause))[0] == ("loss_not_finite", "critical", "")


def test_what_saturates_at_the_start_stands_before_a_loss_that_rises():
    assert [rule for rule, _, _ in told(found("loss_rising"), found("saturated", "critical"))] == [
        *("saturated", "loss_rising")
    ]


@pytest.mark.parametrize(
    ("cause", "rule"),
    [
        ("update_too_large", "biased"),
        ("update_too_large", "collapsed"),
        ("update_too_large", "exploding_gradient"),
        ("target_scale", "saturated"),  # targets reach what layers give by way of an update
        ("not_optimized", "idle"),
        ("loss_diverged", "saturated"),
    ],
)
def test_what_is_there_at_step_0_no_update_has_made(cause, rule):
    for step, because in ((0, ""), (3, cause)):
        story_told = told(found(cause, "critical"), found(rule, step=step))
        assert (rule, "warning", because) in story_told


def test_a_gradient_of_step_0_may_follow_from_the_loss():
    assert ("not_finite", "critical", "loss_reduction") in told(
        found("loss_reduction"), found("not_finite", "critical")
    )


def test_a_gradient_that_explodes_at_the_start_is_why_the_loss_does_so_and_not_the_reverse():
    lost = found("loss_diverged", "critical", 1), found("not_finite", "critical", 2)
    first, *others = told(*lost, found("exploding_gradient"))
    assert first == ("exploding_gradient", "warning", "")
    assert [because for *_, because in others] == ["exploding_gradient"] * 2
    later = told(found("loss_diverged", step=5), found("exploding_gradient", step=9))
    assert later[0][0] == "loss_diverged"


def test_a_spike_explains_a_loss_that_diverges_after_it_and_none_that_does_so_with_it():
    assert [rule for rule, *_ in told(found("loss_diverged", step=120), spike(110))] == [
        "gradient_spike",
        "loss_diverged",
    ]
    assert told(found("loss_diverged", step=110), spike(110))[0][0] == "loss_diverged"


def spike(step):
    return found("gradient_spike", step=step)


def test_outputs_with_a_mean_explain_samples_that_look_the_same_and_steps_that_are_too_large():
    after = (
        found("update_too_large", "critical"),
        found("collapsed"),
        found("loss_diverged", step=3),
    )
    assert told(*after, found("biased"))[0] == ("biased", "warning", "")
    assert {because for *_, because in told(*after, found("biased"))[1:]} == {"biased"}
    later = told(found("update_too_large", step=2), found("biased", step=5))
    assert later[0][0] == "update_too_large"


@pytest.mark.parametrize("rule", sorted(CONSEQUENCES["loss_not_falling"]))
@pytest.mark.parametrize("seen", ["loss_not_falling", "labels_without_signal"])
def test_what_layers_come_to_later_is_not_why_a_loss_has_never_fallen(seen, rule):
    flat = found(seen, step=19 if seen == "loss_not_falling" else 120)
    assert told(found(rule, step=67), flat) == [(seen, "warning", ""), (rule, "warning", seen)]
    assert told(found(rule, step=3), flat)[0][0] == rule
    assert told(found(rule, "critical", step=67), flat)[0] == (rule, "critical", "")


def test_steps_that_move_nothing_stand_before_large_inputs_unless_layers_bar_the_gradient():
    large = replace(found("input_scale"), value=86.0, threshold=10.0)
    still = replace(found("update_too_small"), value=-9.1, threshold=-5.0)
    assert [each.rule for each in story([large, still])] == ["update_too_small", "input_scale"]
    assert story([large, still])[0].because == ""
    slow = replace(still, value=-6.0)
    assert [each.rule for each in story([large, slow])] == ["input_scale", "update_too_small"]
    flat = found("saturated", "critical")
    assert story([large, still, flat])[0].rule == "input_scale"
    small = replace(large, value=1e-4, threshold=1e-2)
    assert story([small, still])[0].rule == "input_scale"


def test_targets_that_are_off_by_far_more_stand_before_the_inputs():
    inputs = replace(found("input_scale"), value=266.0, threshold=10.0)
    targets = replace(found("target_scale"), value=1.2e6, threshold=100.0)
    flat = found("saturated", "critical")
    rules = [each.rule for each in story([inputs, targets, flat])]
    assert rules == ["target_scale", "input_scale", "saturated"]
    nearer = replace(targets, value=1e4)
    assert story([inputs, nearer, flat])[0].rule == "input_scale"
