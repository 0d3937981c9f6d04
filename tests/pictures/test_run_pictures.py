import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from layerscope.pictures import run_pictures as module
from layerscope.pictures.run_pictures import HEATMAPS, PHASE, PROFILE, run_pictures
from layerscope.theory import PredictionSummary
from tests.runs import Made

MADE = Made(steps=30)
PREDICTION = MADE.prediction()


@pytest.fixture
def drawn(monkeypatch):
    """What the figures are drawn from, by name, instead of drawing them."""
    given = {}
    for name in ("heatmap_picture", "profile_picture", "phase_picture"):
        monkeypatch.setattr(module, name, lambda *a, _name=name: given.setdefault(_name, a))
    monkeypatch.setattr(module, "to_png", lambda figure: b"")
    return given


def test_a_run_has_three_figures_by_tag():
    pngs = run_pictures(MADE.figures(), PREDICTION)
    assert list(pngs) == ["layers/heatmaps", "layers/profile", "theory/phase"]
    for png in pngs.values():
        with Image.open(io.BytesIO(png)) as image:
            assert image.format == "PNG"
            assert image.width == 1000
        assert len(png) < 100_000


def test_the_profile_is_of_the_hidden_layers_in_the_first_and_the_last_step(drawn):
    figures = MADE.figures()
    run_pictures(figures, PREDICTION)
    predicted, first, last, _ = drawn["profile_picture"]
    assert predicted is PREDICTION
    for profile, row in ((first, 0), (last, -1)):
        assert profile.step == figures.steps[row]
        assert profile.std == figures["activation_std"][row, 1:6].tolist()
        assert profile.activation_grad_rms == figures["activation_grad_rms"][row, 1:6].tolist()


def test_hidden_layers_are_as_many_as_theory_was_told_of(drawn):
    three = replace(MADE, depth=3).prediction()
    run_pictures(MADE.figures(), three)
    assert len(drawn["profile_picture"][1].std) == 3


@pytest.mark.parametrize("predicted", [None, PredictionSummary(reason="nobody asked")])
def test_without_a_prediction_all_activation_functions_are_hidden_layers(drawn, predicted):
    assert list(run_pictures(MADE.figures(), predicted)) == [HEATMAPS, PROFILE]
    given, first, *_ = drawn["profile_picture"]
    assert given is predicted
    assert len(first.std) == MADE.depth


def test_what_is_far_from_theory_gets_a_ring(drawn):
    figures = MADE.figures()
    predicted = np.array(PREDICTION.std)
    figures["activation_std"][0, 1:6] = predicted
    figures["activation_grad_rms"][0, 1:6] = PREDICTION.activation_grad
    figures["activation_std"][0, 3] = 0.1 * predicted[2]
    run_pictures(figures, PREDICTION)
    assert (2, "std") in {(each["layer"], each["quantity"]) for each in drawn["profile_picture"][3]}


def test_a_run_that_begins_later_is_not_compared_with_theory(drawn):
    run_pictures(MADE.figures().of_rows(slice(10, 20)), PREDICTION)
    predicted, first, last, off = drawn["profile_picture"]
    assert (predicted, first.step, last.step, off) == (None, 10, 19, [])


def test_a_run_of_one_step_has_no_last_one(drawn):
    run_pictures(MADE.figures().of_rows(slice(0, 1)), PREDICTION)
    assert drawn["profile_picture"][2] is None


def test_the_runs_place_in_the_phase_diagram_is_that_of_its_prediction(drawn):
    run_pictures(MADE.figures(), PREDICTION)
    phase = PREDICTION.phase
    place = (phase.sigma_w2, phase.bias_variance)
    assert drawn["phase_picture"] == (phase.activation, [("this run", *place)])
    drawn.clear()
    mixed = replace(PREDICTION, phase=replace(phase, uniform=False))
    run_pictures(MADE.figures(), mixed)
    assert drawn["phase_picture"][1] == [("this run's last hidden layer", *place)]


def test_there_is_no_figure_of_what_there_is_nothing_of(drawn):
    figures = MADE.figures()
    assert list(run_pictures(figures.of_rows(slice(0, 0)), PREDICTION)) == [PHASE]
    linear = tuple(replace(facts, nonlinearity=None) for facts in figures.layers)
    assert list(run_pictures(replace(figures, layers=linear))) == [HEATMAPS]
