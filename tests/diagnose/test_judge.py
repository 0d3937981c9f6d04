import io

import numpy as np
import pytest
import torch

from layerscope.diagnose import (
    RULES,
    Figures,
    Finding,
    Judge,
    LayerFacts,
    Symptoms,
    Thresholds,
    rule,
    without,
)
from layerscope.diagnose.findings.other_findings import not_measured_finding


def tanh_layers(count=4):
    return tuple(
        LayerFacts(
            f"{i:02d}_tanh",
            path=str(i),
            module="Tanh",
            order=i,
            nonlinearity="tanh",
            bounds=(-1.0, 1.0),
            odd=True,
            weights=("weight",),
            last=i == count - 1,
        )
        for i in range(count)
    )


def saturated_from(step, layer, layers, steps=range(20), share=0.35):
    figures = Figures.empty(layers, steps)
    figures["saturated"][:] = 0.01
    figures["saturated"][figures.steps >= step, layer] = share
    return figures


def test_a_finding_names_the_first_layer_and_the_step_when_it_began():
    layers = tanh_layers()
    judge = Judge(layers)
    figures = saturated_from(7, 2, layers)
    figures["saturated"][9:, 0] = 0.4
    (finding,) = judge.look(figures)
    assert finding == Finding(
        rule="saturated",
        severity="warning",
        layer="02_tanh",
        step=7,
        layers=2,
        last_step=19,
        value=pytest.approx(0.35),
        worst=pytest.approx(0.4),
        threshold=0.30,
        source="the course, day 11, part II: saturated < 5% is healthy, > 20% bad",
        explanation="35.0% of the outputs of 02_tanh are saturated, and were not before "
        "(limit 30%)",
        remedy="a smaller optimizer.lr, or a larger optimizer.weight_decay, which keeps weights "
        "small",
        layer_names=("00_tanh", "02_tanh"),
        layer_steps=(9, 7),
    )
    assert finding.steps == 13
    assert judge.findings == [finding]


def test_a_finding_names_its_layers_in_forward_order():
    layers = tanh_layers()[::-1]  # the last comes first, as modules may be registered
    figures = saturated_from(0, 1, layers)
    figures["saturated"][:, 1:] = 0.35
    (finding,) = Judge(layers).look(figures)
    assert finding.layer_names == ("00_tanh", "01_tanh", "02_tanh")
    assert Finding.of_json(finding.as_json()) == finding


def test_a_finding_is_told_once_and_again_when_it_rises():
    layers = tanh_layers()
    judge = Judge(layers)
    assert [f.severity for f in judge.look(saturated_from(0, 1, layers, range(10), 0.1))] == [
        "note"
    ]
    assert judge.look(saturated_from(0, 1, layers, range(10, 20), 0.1)) == []
    (risen,) = judge.look(saturated_from(20, 2, layers, range(20, 30), 0.6))
    assert (risen.severity, risen.layer, risen.step) == ("critical", "02_tanh", 20)
    assert judge.findings == [risen]


def test_layers_that_appear_in_the_middle_of_a_run_are_judged_and_the_others_remembered():
    layers = tanh_layers()
    judge = Judge(layers[:2])
    judge.look(saturated_from(0, 1, layers[:2], range(3)))
    (finding,) = judge.look(saturated_from(0, 1, (layers[3], layers[1]), range(3, 6)))
    assert (finding.layer, finding.step, finding.layers) == ("01_tanh", 0, 1)


def test_a_judge_goes_on_from_its_state_as_if_it_had_never_stopped():
    layers = tanh_layers()
    figures = saturated_from(7, 2, layers)
    whole, before, after = Judge(layers), Judge(layers), Judge(layers)
    whole.look(figures)
    before.look(figures.of_rows(slice(0, 9)))
    file = io.BytesIO()
    torch.save(before.state(), file)
    file.seek(0)
    after.load_state(torch.load(file, weights_only=True))
    after.look(figures.of_rows(slice(9, None)))
    assert after.findings == whole.findings != []


def test_a_rule_of_ones_own_is_one_function():
    layers = tanh_layers()

    def mostly_zero(figures, thresholds, memory):
        return Symptoms.above(
            figures["zeros"],
            warning=0.9,
            explanation="{value:.0%} of {layer} is zero",
            remedy="look",
        )

    figures = Figures.empty(layers, range(3))
    figures["zeros"][1, 2] = 0.95
    (finding,) = Judge(layers, rules={"mostly_zero": mostly_zero}).look(figures)
    assert (finding.rule, finding.layer, finding.step) == ("mostly_zero", "02_tanh", 1)
    assert finding.explanation == "95% of 02_tanh is zero"


def test_rules_can_be_left_out_and_unknown_names_are_refused():
    layers = tanh_layers()
    assert Judge(layers, rules=without("saturated")).look(saturated_from(0, 0, layers)) == []
    with pytest.raises(
        ValueError, match="there is no rule named 'tired'; `layerscope explain` lists them"
    ):
        without("tired")


def test_a_rule_registered_twice_is_refused():
    with pytest.raises(ValueError, match="there is a rule named 'idle' already"):
        rule("idle")(lambda figures, thresholds: None)
    assert "idle" in RULES


def test_layers_that_were_not_measured_are_a_note():
    judge = Judge(tanh_layers())
    two = not_measured_finding({"01_tanh": "compiled", "02_tanh": "compiled"})
    assert "could not be measured, nor could those of 1 other layer: compiled" in two.explanation
    assert "monitor." not in two.remedy  # a loop of one's own has no such key
    judge.add(two)
    (finding,) = judge.findings
    assert (finding.severity, finding.layer, finding.layers) == ("note", "01_tanh", 2)


def test_a_finding_survives_json_without_what_json_lacks():
    finding = not_measured_finding({"01_tanh": "compiled"})
    plain = finding.as_json()
    assert plain["value"] is None
    assert plain["steps"] == 1
    assert np.isnan(Finding.of_json(plain).value)
    assert Finding.of_json(plain).explanation == finding.explanation


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"lasting": 0}, "lasting must be at least 1, got 0"),
        ({"warm_up": 1}, "warm_up must be at least 2, got 1"),
        ({"dead_share": 2.0}, "dead_share must be between 0 and 1, got 2.0"),
        ({"spike_factor": 1.0}, "spike_factor must be above 1, got 1.0"),
        ({"update_stalled": 0.0}, "update_stalled must be below 0, got 0.0"),
        ({"biased_bad": 0.1}, "biased_bad must be at least biased_mean, 0.5, got 0.1"),
        ({"vanishing_bad": 0.2}, "vanishing_end_to_end must be at least vanishing_bad, 0.2, got"),
        ({"update_small": 0.0}, "update_large must be at least update_small, 0.0, got -1.0"),
    ],
)
def test_bad_thresholds_are_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        Thresholds(**arguments)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="classes must be at least 2, got 1"):
        Judge((), classes=1)
    with pytest.raises(ValueError, match="severity must be one of"):
        Finding("r", "bad", "l", 0, 1, 0, 0.0, 0.0, 0.0, "", "", "")
