"""Scores that lie between 0 and 1 by chance have been through no function."""

import numpy as np
import pytest

from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.measured.figure_names import STEP_COLUMN
from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.last_function import LastFunction
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.rules.loss_form import loss_after_activation
from layerscope.diagnose.thresholds import Thresholds

LAYERS = [LayerFacts("00_linear", "0", "Linear", weights=("weight",), last=True, order=0)]


def told(function, lowest, highest, cut=None):
    """In which looks a cross-entropy of 32 x 4 outputs in these ranges is ill, all looks in one
    block or cut into two.
    """
    memory = Memory(Roles(LAYERS))
    ill = []
    looks = np.arange(len(lowest))
    for part in np.split(looks, [cut] if cut else []):
        figures = Figures.empty(LAYERS, part)
        for name, value in {
            "loss_kind": Loss.CROSS_ENTROPY,
            "outputs": 4,
            "samples": 32,
            "output_rows_one": 0,
            "output_function": function,
            "output_min": np.array(lowest)[part],
            "output_max": np.array(highest)[part],
        }.items():
            figures.of_steps[:, STEP_COLUMN[name]] = value
        severity = loss_after_activation(figures, Thresholds(), memory).severity
        ill += [0] * len(part) if severity is None else severity[:, 0].tolist()
    return ill


def test_between_0_and_1_nothing_squashes_what_a_product_made():
    assert told(LastFunction.NONE, [0.05] * 4, [0.95] * 4) == [2] * 4
    assert told(LastFunction.LINEAR, [0.05] * 4, [0.95] * 4) == [0] * 4


def test_a_product_of_zeros_is_not_cut_at_0():
    assert told(LastFunction.NONE, [0.0] * 4, [3.0] * 4) == [2] * 4
    assert told(LastFunction.LINEAR, [0.0] * 4, [3.0] * 4) == [0] * 4
    assert told(LastFunction.NONE, [0.0] * 4, [0.0] * 4) == [0] * 4  # nothing else was seen


@pytest.mark.parametrize("twice", [0.0, 1.0])
def test_a_loss_of_any_kind_that_takes_a_sigmoid_of_a_sigmoid_is_ill(twice):
    figures = Figures.empty(LAYERS, np.arange(4))
    figures["loss_kind"][:], figures["activated_twice"][:] = Loss.UNKNOWN, twice
    symptoms = loss_after_activation(figures, Thresholds(), Memory(Roles(LAYERS)))
    assert (symptoms.severity is not None) == (twice == 1)
    assert twice == 0 or "between 0 and 1" in symptoms.advice[symptoms.cause[0, 0]].explanation


@pytest.mark.parametrize("cut", [None, 1, 3])
def test_outputs_that_have_been_beyond_0_to_1_come_there_by_chance(cut):
    lowest = [0.05, -0.2, 0.05, 0.05]
    assert told(LastFunction.NONE, lowest, [0.95] * 4, cut) == [2, 0, 0, 0]


@pytest.mark.parametrize(
    ("lowest", "highest", "slope", "loss", "ill"),
    [
        (-0.4, -0.1, 0.0, 8.0, True),
        (0.0, 0.0, 0.0, 8.0, True),  # units of a ReLU that are all dead
        (1.0, 3.0, 0.0, 8.0, True),
        (-0.4, 0.1, 0.0, 8.0, False),  # some are none of these
        (-0.4, -0.1, 0.1, 8.0, False),
        (-0.4, -0.1, 0.0, 0.5, False),  # a margin that all have reached
    ],
)
def test_a_flat_loss_of_outputs_none_of_which_is_a_probability_is_ill(
    lowest, highest, slope, loss, ill
):
    figures = Figures.empty(LAYERS, np.arange(4))
    figures["loss_kind"][:], figures["loss"][:] = Loss.UNKNOWN, loss
    figures["output_min"][:], figures["output_max"][:] = lowest, highest
    figures["activation_grad_rms"][:] = slope
    figures["output_function"][:] = LastFunction.TANH
    symptoms = loss_after_activation(figures, Thresholds(), Memory(Roles(LAYERS)))
    assert (symptoms.severity is not None) == ill
    assert not ill or "a tanh" in symptoms.advice[symptoms.cause[0, 0]].explanation
