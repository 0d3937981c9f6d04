"""LayerMonitor and `watch` say the same of the same training."""

import numpy as np
import pytest
from torch import nn

import layerscope
from layerscope.diagnose.measured.figure_names import LAYER_FIGURES, STEP_FIGURES
from layerscope.events.reader import read_run
from layerscope.sinks.figures_event import figures_of
from tests.diagnose import healthy
from tests.diagnose.healthy import GPT, HEALTHY, mlp, sequences, token_loss
from tests.diagnose.planted import PLANTED, left_out, run
from tests.integrations.doors import program_of, through_lightning, through_watch

SICK = [
    "saturated tanh, from step 12",
    "idle ReLU",
    "dead channels",
    "fading gradient, middle",
    "growing gradient, from step 6",
    "spike, middle",
    "update too large, from step 15",
    "update too small, middle",
    "overconfident start",
    "infinite outputs, middle",
    "NaN in the data",
    "NaN on the way back, late",
    "NaN in one weight's gradient",
    "collapsed, from step 9",
]
WELL = ["ResNet with BatchNorm", "frozen backbone", "short last batch", "LSTM", "embedding bag"]
TIMES = {"monitor_ms", "step_ms"}  # the clock's, not the training's
OF_A_TRAINER = {"planned_steps"}  # a loop of one's own does not say how long it will be


def both(make, monkeypatch, folder, **settings):
    settings = {"images": False, "updates_every_n_steps": 1, "dead_window": 1024} | settings
    told = [
        through_lightning(program_of(make, monkeypatch), folder / "lightning", **settings),
        through_watch(program_of(make, monkeypatch), folder / "watch", **settings),
    ]
    return told, [figures_of(read_run(folder / door)) for door in ("lightning", "watch")]


def assert_the_same(told, figures):
    lightning, watched = figures
    assert watched.layers == lightning.layers
    assert watched.steps.tolist() == lightning.steps.tolist()
    for name in [*LAYER_FIGURES, *STEP_FIGURES]:
        if name not in TIMES | OF_A_TRAINER:
            np.testing.assert_array_equal(watched[name], lightning[name], err_msg=name)
    assert told[1]["findings"] == told[0]["findings"]
    assert told[1] == told[0]


@pytest.mark.parametrize("name", SICK)
def test_both_doors_find_the_same_in_a_sick_training(monkeypatch, tmp_path, name):
    planted = PLANTED[name]
    told, figures = both(planted.run, monkeypatch, tmp_path, classes=planted.classes)
    assert_the_same(told, figures)
    assert planted.rule in {finding["rule"] for finding in told[0]["findings"]}


@pytest.mark.parametrize("name", WELL)
def test_both_doors_find_the_same_in_a_healthy_training(monkeypatch, tmp_path, name):
    told, figures = both(lambda: HEALTHY[name](0), monkeypatch, tmp_path)
    assert_the_same(told, figures)


@pytest.mark.parametrize("through", [through_lightning, through_watch])
def test_the_summary_is_printed_at_the_end_unless_it_is_not_wanted(
    monkeypatch, tmp_path, capsys, through
):
    make, folder = PLANTED["saturated tanh, from step 12"].run, tmp_path / "told"
    diagnosis = through(program_of(make, monkeypatch), folder, images=False)
    told = capsys.readouterr().out
    assert {"saturated"} <= {finding["rule"] for finding in diagnosis["findings"]}
    assert all(f" {finding['rule']} (" in told for finding in diagnosis["findings"])
    assert "".join(told.split()).endswith(f"files:{folder}")
    through(program_of(make, monkeypatch), tmp_path / "off", images=False, summary=False)
    assert "files:" not in capsys.readouterr().out


def test_a_layer_that_the_optimizer_was_not_given_is_named_by_both_doors(monkeypatch, tmp_path):
    told, figures = both(lambda: left_out(3), monkeypatch, tmp_path)
    assert_the_same(told, figures)
    forgotten = [facts.name for facts in figures[0].layers].index("03_tanh")
    assert (figures[0]["update_to_weight"][:, forgotten] == 0).all()
    assert (figures[0]["weight_grad_rms"][:, forgotten] > 0).all()
    for each in told:
        assert ("stalled", "03_tanh") in {(f["rule"], f["layer"]) for f in each["findings"]}


def test_a_parameter_without_a_gradient_has_neither_gradient_nor_update_at_either_door(
    monkeypatch, tmp_path
):
    def unreached():
        network = mlp(nn.Tanh, gain=1.0)
        network.forward = lambda x: nn.Sequential(*list(network)[:-3], network[-1])(x)
        run(network, steps=12)

    told, figures = both(unreached, monkeypatch, tmp_path)
    assert_the_same(told, figures)
    at = [facts.name for facts in figures[0].layers].index("05_tanh")
    assert np.isnan(figures[0]["update_to_weight"][:, at]).all()
    assert np.isnan(figures[0]["weight_grad_rms"][:, at]).all()


@pytest.mark.parametrize("every", [1, 3])
def test_both_doors_measure_the_same_steps_and_updates(monkeypatch, tmp_path, every):
    make = PLANTED["left out of the optimizer, middle"].run
    settings = {"every_n_steps": every, "updates_every_n_steps": 10, "biases": True}
    told, figures = both(make, monkeypatch, tmp_path, quantities=["weight", "update"], **settings)
    assert_the_same(told, figures)


def test_both_doors_see_the_same_of_each_head_of_an_attention(monkeypatch, tmp_path):
    def make():
        network = GPT(11, blocks=2)
        return healthy.train(network, sequences(0, 12), token_loss, healthy.adam(network))

    told, figures = both(make, monkeypatch, tmp_path)
    assert_the_same(told, figures)
    runs = [layerscope.read(tmp_path / door).attention for door in ("lightning", "watch")]
    assert list(runs[0]) == list(runs[1]) == ["06_blocks.0/attention", "14_blocks.1/attention"]
    for name, of_lightning in runs[0].items():
        for figure, values in of_lightning.items():
            np.testing.assert_array_equal(values, runs[1][name][figure])
        assert of_lightning["entropy"].shape == (len(of_lightning["steps"]), 2)
    assert told[0]["steps"][0]["attention"].keys() == runs[0].keys()
    at = [facts.name for facts in figures[0].layers].index("06_blocks.0/attention")
    of_heads = runs[0]["06_blocks.0/attention"]
    looked = figures[0]["attention_entropy"][of_heads["steps"].astype(int), at]
    np.testing.assert_allclose(looked, of_heads["entropy"].mean(1), atol=1e-5)
