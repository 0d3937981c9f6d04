"""A norm of gradients that is small and always the same is that of a clip."""

import numpy as np
import pytest

from layerscope.diagnose.measured.figure_names import LAYER_COLUMN, STEP_COLUMN
from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.rules.clipped_too_far import clipped_too_far
from layerscope.diagnose.thresholds import Thresholds

LAYERS = [LayerFacts("00_linear", "0", "Linear", weights=("weight",))]
NAN = float("nan")


def noted(norms, cut=None, of_layer=(1e-6, 3e-6)):
    """Which steps with these norms are ill, judged in one block or cut into two. The gradient of
    the layer's weight is now this, now that.
    """
    memory = Memory(Roles(LAYERS))
    ill = []
    steps = np.arange(len(norms))
    for part in np.split(steps, [cut] if cut else []):
        figures = Figures.empty(LAYERS, part)
        figures.of_steps[:, STEP_COLUMN["gradient_norm"]] = np.array(norms)[part]
        figures.of_layers[:, 0, LAYER_COLUMN["weight_grad_rms"]] = np.array(of_layer)[part % 2]
        severity = clipped_too_far(figures, Thresholds(), memory).severity
        ill += [0] * len(part) if severity is None else severity[:, 0].tolist()
    return ill


@pytest.mark.parametrize("cut", [None, 3, 6])
def test_one_small_norm_in_five_looks_is_a_clip(cut):
    assert noted([2e-5, NAN, 2e-5, 2e-5, 2e-5, NAN, 2e-5, 2e-5], cut) == [0] * 6 + [1, 1]


@pytest.mark.parametrize("norm", [2e-5, 9.9e-4])
def test_what_nobody_clips_to_is_below_a_thousandth_and_the_same_to_a_thousandth(norm):
    assert any(noted([norm, norm * 1.0009] * 4))
    assert not any(noted([norm, norm * 1.0011] * 4))


@pytest.mark.parametrize(
    "norms",
    [[1.0] * 8, [1.1e-3] * 8, [2e-5, 2.1e-5, *[2e-5] * 6], [2e-5] * 4, [0.5, *[2e-5] * 7]],
    ids=["usual", "a small one", "not the same", "four looks", "not from the start"],
)
def test_other_norms_are_none(norms):
    assert not any(noted(norms))


@pytest.mark.parametrize("of_layer", [(0.0, 0.0), (1e-6, 1.009e-6)], ids=["dead", "the same"])
def test_gradients_that_never_change_are_not_clipped(of_layer):
    assert not any(noted([2e-5] * 8, of_layer=of_layer))
    assert not any(noted([0.0] * 8, of_layer=of_layer))


def test_gradients_that_change_by_a_hundredth_are():
    assert any(noted([2e-5] * 8, of_layer=(1e-6, 1.011e-6)))


def test_what_a_trainer_clips_after_gradients_are_measured_is_a_clip_as_well():
    figures = Figures.empty(LAYERS, range(8))
    figures["gradient_norm"][:] = norms = np.array([0.3, 0.5, 0.4, 0.6] * 2)
    figures["clip_factor"][:] = 2e-5 / norms
    figures["weight_grad_rms"][:, 0] = norms * np.array([0.1, 0.2] * 4)
    judged = clipped_too_far(figures, Thresholds(), Memory(Roles(LAYERS)))
    assert judged.severity is not None
    assert judged.values[7, 0] == pytest.approx(2e-5)
    figures["clip_factor"][:] = 1
    assert clipped_too_far(figures, Thresholds(), Memory(Roles(LAYERS))).severity is None


@pytest.mark.parametrize(("times", "told"), [(1.0, True), (10.0, True), (30.0, False)])
def test_a_hundredth_is_a_clip_where_steps_go_by_the_size_of_the_gradient(times, told):
    figures = Figures.empty(LAYERS, range(8))
    gradients = np.array([1e-3, 3e-3] * 4)
    figures["gradient_norm"][:] = 0.01
    figures["learning_rate"][:] = 0.1
    figures["weight_grad_rms"][:, 0] = gradients
    figures["weight_rms"][:, 0] = 0.5
    figures["update_to_weight"][:, 0] = times * 0.1 * gradients / 0.5
    judged = clipped_too_far(figures, Thresholds(), Memory(Roles(LAYERS)))
    assert (judged.severity is not None) == told
    assert not told or "in proportion to it" in judged.advice[judged.cause[7, 0]].explanation


def cut_off(shares, cut=None):
    """The severity of each step of a loss that cuts off so many samples, in one block or in two."""
    memory = Memory(Roles(LAYERS))
    severities, words = [], ""
    for part in np.split(np.arange(len(shares)), [cut] if cut else []):
        figures = Figures.empty(LAYERS, part)
        figures.of_steps[:, STEP_COLUMN["loss_cut_off"]] = np.array(shares)[part]
        told = clipped_too_far(figures, Thresholds(), memory)
        none = told.severity is None
        severities += [0] * len(part) if none else told.severity[:, 0].tolist()
        words = words if none else told.advice[told.cause[told.severity > 0][0]].explanation
    return severities, words


@pytest.mark.parametrize("cut", [None, 1, 4])
def test_a_loss_that_cuts_off_many_samples_from_the_start_on_is_warned_of(cut):
    severities, words = cut_off([0.5, NAN, 0.4, NAN, 0.3, NAN, 0.1], cut)
    assert severities == [0, 0, 0, 0, 2, 2, 0]
    assert "largest errors" in words


def test_one_that_comes_to_cut_off_many_may_leave_out_outliers_on_purpose():
    assert cut_off([0.0, 0.3, 0.3, 0.3])[0] == [0, 0, 0, 1]
    assert cut_off([0.15] * 6)[0] == [0] * 6
    assert cut_off([NAN] * 6)[0] == [0] * 6
