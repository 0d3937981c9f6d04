"""The loss of classes that have come just now."""

import numpy as np

from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.questions.new_classes import loss_of_new_classes
from tests.diagnose.measured.test_loss_curve import LAYER, figures


def test_it_is_the_mean_of_the_first_five_losses_since_the_look_that_shows_them():
    made = figures(np.arange(24.0))
    made["loss"][6] = np.nan
    made["labels_new"][[0, 5, 10, 15]] = [np.nan, 0.5, 0.0, 0.2]
    levels = loss_of_new_classes(made, Memory(Roles(LAYER)))
    assert np.isnan(levels[:5]).all()
    assert levels[5:12].tolist() == [5, 5, 6, 20 / 3, 29 / 4, 39 / 5, 39 / 5]
    assert levels[14:].tolist() == [39 / 5, 15, 15.5, 16, 16.5, *[17.0] * 5]
