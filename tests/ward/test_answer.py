"""What may be answered, and what it is worth."""

from dataclasses import replace

import pytest

from layerscope.diagnose.rule_page import page_of
from layerscope.ward.patients import all_patients, diseases
from layerscope.ward.ward_round import Answer, answer_of, points, reasons, truth

LAYERS = ["01_tanh", "02_tanh", "03_logits"]


def patient(disease):
    return next(each for each in all_patients() if each.disease == disease)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("saturated 2 12", Answer("saturated", "02_tanh", 12)),
        ("  Gradient-Spike, 03_LOGITS, 0 ", Answer("gradient_spike", "03_logits", 0)),
        ("healthy", Answer("healthy")),
    ],
)
def test_an_answer_is_a_disease_a_layer_and_a_step_or_healthy(typed, answer):
    assert answer_of(typed, LAYERS) == answer


HOW = "an answer must be DISEASE LAYER STEP, such as saturated 3 12, or healthy, got "


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", HOW + "nothing"),
        ("idle 2", HOW + "idle 2"),
        ("healthy 2 1", "healthy must stand alone, got healthy 2 1"),
        ("idle 4 0", "layer must be 1 to 3 or a name in the charts, got 4"),
        ("idle x 0", "layer must be 1 to 3 or a name in the charts, got x"),
        ("idle 1 -1", "step must be a whole number of at least 0, got -1"),
        (
            "saturate 1 1",
            f"disease must be one of {', '.join(diseases())}, got saturate; "
            "the nearest is saturated",
        ),
    ],
)
def test_what_is_no_answer_is_told_in_a_sentence(typed, sentence):
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        answer_of(typed, LAYERS)
    assert str(refused.value) == sentence


def test_disease_layer_and_step_are_a_point_each_and_a_step_may_be_off_by_two():
    sick = replace(patient("saturated"), layer="02_tanh", step=12, also=["idle"])
    assert points(Answer("saturated", "02_tanh", 14), sick) == 3
    assert points(Answer("idle", "02_tanh", 9), sick) == 2  # found there as well; too early
    assert points(Answer("biased", "01_tanh", 12), sick) == 1
    assert points(Answer("healthy"), sick) == 0
    well = patient("healthy")
    assert points(Answer("healthy"), well) == 3
    assert points(Answer("saturated", well.layer, well.step), well) == 0


def test_the_reason_is_what_the_rules_say_of_it_and_what_explain_says_of_the_disease():
    sick = patient("dead_units")
    told = " ".join(reasons(sick))
    page = page_of("dead_units")
    assert truth(sick) == f"dead_units in {sick.layer} since step {sick.step}"
    wanted = {sick.found, page.says, *(item.replace("`", "") for item in page.to_do)}
    assert wanted == {each for each in wanted if each in told}
    assert "`" not in told
    assert reasons(patient("healthy")) == ["No rule found anything in it."]
