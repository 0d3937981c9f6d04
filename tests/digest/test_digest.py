"""A digest has what there is to act on, and stays within its size whatever the run is like."""

import json
import math

import numpy as np
import pytest

from layerscope.diagnose import Finding
from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.measured.figure_names import STEP_COLUMN
from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.digest import MAX_BYTES, digest_of
from layerscope.digest.bounded import Texts, as_text, number
from layerscope.lab.status import RunStatus
from tests.runs import HOSTILE

ASTRAL = "\N{PILE OF POO}"  # one character, twelve bytes as JSON


def made_figures(names, steps=30):
    figures = Figures.empty([LayerFacts(name, name, "Tanh", i) for i, name in enumerate(names)],
                            range(steps))  # fmt: skip
    figures["activation_std"][:] = 0.5
    figures["activation_grad_rms"][:] = 1e-3
    figures["update_to_weight"][::10] = 1e-3
    figures["saturated"][:] = np.linspace(0, 0.04, len(names))
    figures.of_steps[:, STEP_COLUMN["loss"]] = np.arange(steps, 0, -1)
    return figures


def finding(rule="saturated", layer="01_tanh", severity="warning", **rest):
    plain = {"step": 3, "layers": 1, "last_step": 9, "value": 0.75, "worst": 0.8, "threshold": 0.2}
    words = {"source": "", "explanation": f"{layer} is ill", "remedy": "init=xavier"}
    return Finding(rule=rule, layer=layer, severity=severity, **{**plain, **words, **rest})


def read(digest):
    text = as_text(digest)
    assert len(text.encode()) + 1 <= MAX_BYTES
    return json.loads(text)


def test_it_tells_the_story_in_order_with_its_causes():
    story = [
        finding("input_scale", "inputs", value=51.64321),
        finding("saturated", because="input_scale", worst=math.inf),
    ]
    told = read(digest_of("run", "unknown", None, made_figures(["00_tanh", "01_tanh"]), story))
    assert [(f["rule"], f["because"]) for f in told["findings"]] == [
        ("input_scale", ""),
        ("saturated", "input_scale"),
    ]
    assert told["findings"][0]["value"] == 51.64
    assert told["findings"][1]["worst"] is None
    assert told["findings"][1]["remedy"] == "init=xavier"
    assert "sure" in told["findings"][0]


def test_it_tells_the_state_and_the_steps_of_the_run():
    status = RunStatus("failed", "out of memory", seconds=12.34567)
    told = read(digest_of("a run", status.state, status, made_figures(["00_tanh"], steps=7), []))[
        "run"
    ]
    assert told == {
        "name": "a run",
        "state": "failed",
        "reason": "out of memory",
        "seconds": 12.35,
        "first_step": 0,
        "last_step": 6,
        "measured_steps": 7,
        "layers": 1,
    }


def test_it_tells_loss_rate_and_what_was_last_seen_of_the_ends():
    figures = made_figures(["00_tanh"], steps=30)
    of = {name: figures.of_steps[:, column] for name, column in STEP_COLUMN.items()}
    of["loss"][:] = np.arange(30, 0, -1)
    of["loss"][12] = np.inf
    of["loss"][20] = 0.5
    of["learning_rate"][:] = np.linspace(0.1, 0.001, 30)
    of["input_rms"][[0, 10]] = 5.0, 7.0
    of["loss_kind"][0] = Loss.SQUARED_ERROR
    of["weight_decay"][0] = 0.01
    of["skipped"][3] = 1
    told = read(digest_of("run", "unknown", None, figures, []))
    assert told["loss"]["start"] == 28  # 30 to 26
    finite = [*range(30, 18, -1), *range(17, 10, -1), 0.5, *range(9, 0, -1)]
    assert told["loss"]["now"] == number(np.mean(finite[-20:]))
    assert (told["loss"]["lowest"], told["loss"]["lowest_step"]) == (0.5, 20)
    assert (told["loss"]["kind"], told["loss"]["not_finite_steps"]) == ("squared_error", 1)
    assert told["learning_rate"] == {"start": 0.1, "now": 0.001, "highest": 0.1}
    assert told["inputs"] == {"input_rms": 7}
    assert told["optimizer"] == {"weight_decay": 0.01, "optimizers": 1, "skipped_steps": 1}


def test_a_loss_of_which_nothing_is_known_is_said_to_be_so():
    figures = made_figures(["00_tanh"])
    figures.of_steps[:] = np.nan
    told = read(digest_of("run", "unknown", None, figures, []))
    assert told["loss"] == {"not_finite_steps": 0, "kind": "not_seen"}
    assert told["learning_rate"] == {}


def test_layers_come_in_the_order_in_which_they_are_worth_a_look():
    names = [f"{i:02d}_tanh" for i in range(6)]
    figures = made_figures(names)
    figures["saturated"][:] = 0
    figures["update_to_weight"][20, 2] = 1e-6  # three decades below the usual
    figures["activation_grad_rms"][-1, 3] = 1e-5  # two below the median layer
    figures["activation_nonfinite"][-1, 4] = 1
    story = [finding("idle", "05_tanh"), finding("collapsed", "01_tanh", "critical")]
    told = read(digest_of("run", "unknown", None, figures, story))["layers"]
    assert [each["layer"][:2] for each in told] == ["01", "05", "04", "02", "03", "00"]
    assert told[1]["findings"] == ["idle"]


def test_a_layer_has_its_first_and_last_figures_where_they_were_measured():
    figures = made_figures(["00_tanh"], steps=25)
    figures["activation_std"][:, 0] = np.arange(25)
    figures["update_to_weight"][[0, 10, 20], 0] = 1.0, 2.0, 3.0
    (layer,) = read(digest_of("run", "unknown", None, figures, []))["layers"]
    assert (layer["first"]["activation_std"], layer["last"]["activation_std"]) == (0, 24)
    assert (layer["first"]["update_to_weight"], layer["last"]["update_to_weight"]) == (1, 3)
    assert "weight_rms" not in layer["first"]


def test_two_thousand_layers_fit_and_those_left_out_are_counted():
    names = [f"{i:04d}_encoder.layer.{i}.activation" for i in range(2000)]
    story = [finding("saturated", names[1234])]
    told = read(digest_of("run", "unknown", None, made_figures(names), story))
    assert told["run"]["layers"] == 2000
    assert told["layers"][0]["layer"] == names[1234]
    assert len(told["layers"]) > 20
    assert told["left_out"]["layers"] == 2000 - len(told["layers"])
    assert told["left_out"]["findings"] == told["left_out"]["cut_texts"] == 0


@pytest.mark.parametrize("character", ["x", ASTRAL, "\\", "\0"])
def test_hostile_long_names_fit_too(character):
    long = HOSTILE + character * 100_000
    names = [f"{i:02d}_{long}" for i in range(50)]
    words = {"explanation": long, "remedy": long, "because": long}
    story = [finding(f"{i}{long}", names[0], **words) for i in range(100)]
    status = RunStatus("failed", long)
    told = read(digest_of(long, status.state, status, made_figures(names), story))
    assert told["findings"]
    assert told["layers"]
    assert told["layers"][0]["layer"].startswith(f"00_{HOSTILE[:30]}")
    assert len(told["layers"][0]["findings"]) + told["layers"][0]["further_findings"] == 100
    assert told["left_out"]["findings"] == 100 - len(told["findings"])
    assert told["left_out"]["layers"] == 50 - len(told["layers"])
    assert told["left_out"]["cut_texts"] > 50


def test_a_text_is_cut_in_its_middle():
    texts = Texts()
    assert texts.short("short") == "short"
    cut = texts.short("a" * 500 + "b" * 500)
    assert (cut[:3], cut[-3:], texts.cut) == ("aaa", "bbb", 1)
    assert 590 <= len(cut) <= 600
    assert texts.short("a" * 600) == "a" * 600


def test_numbers_keep_four_digits_and_those_that_are_not_finite_are_none():
    assert number(0.123456) == 0.1235
    assert number(123456.0) == 123456
    assert number(math.inf) is None
    assert number(math.nan) is None


def test_it_says_what_each_of_its_figures_means():
    figures = made_figures(["00_tanh"])
    figures.of_steps[:] = 1
    figures.of_layers[:] = 1
    told = read(digest_of("run", "unknown", None, figures, []))
    shown = {*told["inputs"], *told["output"], *told["network"], *told["layers"][0]["last"]}
    assert shown <= set(told["meaning"])


def test_a_run_without_a_step_has_no_digest():
    with pytest.raises(ValueError, match="at least 1 step, got 0"):
        digest_of("run", "unknown", None, made_figures(["00_tanh"], steps=0), [])
