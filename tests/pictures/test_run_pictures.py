import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from layerscope.diagnose import Figures
from layerscope.pictures import run_pictures as module
from layerscope.pictures.run_pictures import HEATMAPS, PHASE, PROFILE, run_figures
from layerscope.theory import Expected
from tests.runs import Made

MADE = Made(steps=30)
EXPECTED = MADE.expected()


def some_of(figures, rows):
    return Figures(
        figures.layers, figures.steps[rows], figures.of_layers[rows], figures.of_steps[rows]
    )


@pytest.fixture
def drawn(monkeypatch):
    """What the figures are drawn from, by name, instead of drawing them."""
    given = {}
    for name in ("heatmap_figure", "profile_figure", "phase_figure"):
        monkeypatch.setattr(module, name, lambda *a, _name=name: given.setdefault(_name, a))
    monkeypatch.setattr(module, "to_png", lambda figure: b"")
    return given


def test_a_run_has_three_figures_by_tag():
    pngs = run_figures(MADE.figures(), EXPECTED)
    assert list(pngs) == ["layers/heatmaps", "layers/profile", "theory/phase"]
    for png in pngs.values():
        with Image.open(io.BytesIO(png)) as image:
            assert image.format == "PNG"
            assert image.width == 1000
        assert len(png) < 100_000


def test_the_profile_is_of_the_hidden_layers_in_the_first_and_the_last_step(drawn):
    figures = MADE.figures()
    run_figures(figures, EXPECTED)
    expected, first, last, _ = drawn["profile_figure"]
    assert expected is EXPECTED
    for profile, row in ((first, 0), (last, -1)):
        assert profile.step == figures.steps[row]
        assert profile.std == figures["activation_std"][row, 1:6].tolist()
        assert profile.activation_grad_rms == figures["activation_grad_rms"][row, 1:6].tolist()


def test_hidden_layers_are_as_many_as_theory_was_told_of(drawn):
    three = replace(MADE, depth=3).expected()
    run_figures(MADE.figures(), three)
    assert len(drawn["profile_figure"][1].std) == 3


@pytest.mark.parametrize("expected", [None, Expected(reason="nobody asked")])
def test_without_a_prediction_all_activation_functions_are_hidden_layers(drawn, expected):
    assert list(run_figures(MADE.figures(), expected)) == [HEATMAPS, PROFILE]
    given, first, *_ = drawn["profile_figure"]
    assert given is expected
    assert len(first.std) == MADE.depth


def test_what_is_far_from_theory_gets_a_ring(drawn):
    figures = MADE.figures()
    expected = np.array(EXPECTED.std)
    figures["activation_std"][0, 1:6] = expected
    figures["activation_grad_rms"][0, 1:6] = EXPECTED.activation_grad
    figures["activation_std"][0, 3] = 0.1 * expected[2]
    run_figures(figures, EXPECTED)
    assert (2, "std") in {(each["layer"], each["quantity"]) for each in drawn["profile_figure"][3]}


def test_a_run_that_begins_later_is_not_compared_with_theory(drawn):
    run_figures(some_of(MADE.figures(), slice(10, 20)), EXPECTED)
    expected, first, last, off = drawn["profile_figure"]
    assert (expected, first.step, last.step, off) == (None, 10, 19, [])


def test_a_run_of_one_step_has_no_last_one(drawn):
    run_figures(some_of(MADE.figures(), slice(0, 1)), EXPECTED)
    assert drawn["profile_figure"][2] is None


def test_the_runs_place_in_the_phase_diagram_is_that_of_its_prediction(drawn):
    run_figures(MADE.figures(), EXPECTED)
    phase = EXPECTED.phase
    place = (phase.sigma_w2, phase.bias_variance)
    assert drawn["phase_figure"] == (phase.activation, [("this run", *place)])
    drawn.clear()
    mixed = replace(EXPECTED, phase=replace(phase, uniform=False))
    run_figures(MADE.figures(), mixed)
    assert drawn["phase_figure"][1] == [("this run's last hidden layer", *place)]


def test_there_is_no_figure_of_what_there_is_nothing_of(drawn):
    figures = MADE.figures()
    assert list(run_figures(some_of(figures, slice(0, 0)), EXPECTED)) == [PHASE]
    linear = tuple(replace(facts, nonlinearity=None) for facts in figures.layers)
    assert list(run_figures(replace(figures, layers=linear))) == [HEATMAPS]
