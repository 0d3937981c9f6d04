import math
import re

import numpy as np
import pytest

from layerscope.theory import departures, mlp, predict
from tests.theory.theory_reference import random_networks


def expected():
    return predict(mlp([100] * 11, "tanh", 2.0, 0.1))


def test_random_networks_are_not_far_from_their_own_prediction():
    stds, squares = random_networks(
        "tanh", 2.0, 0.1, width=100, depth=10, networks=200, rng=np.random.default_rng(0)
    )
    p = expected()
    for std, gradient in zip(stds, np.sqrt(squares), strict=True):
        assert departures(p, std, gradient) == []


def test_a_layer_whose_weights_are_twice_too_large_is_found():
    p = expected()
    std = p.std.copy()
    std[3] *= 1.6
    (departure,) = departures(p, std, 1e-4 * p.activation_grad)
    assert (departure.layer, departure.quantity) == (3, "std")
    assert departure.measured == pytest.approx(1.6 * departure.predicted)
    assert departure.bound == pytest.approx(math.exp(0.15 + 4 * p.std_spread[3]))


def test_gradients_that_fade_where_they_should_grow_are_found():
    p = expected()
    found = departures(p, p.std, 0.4 ** np.arange(9, -1, -1))
    assert [departure.layer for departure in found] == list(range(9))
    assert {departure.quantity for departure in found} == {"activation_grad"}


def test_outputs_that_do_not_vary_are_far_and_what_is_not_finite_is_left_out():
    p = expected()
    std = p.std.copy()
    std[0], std[1] = 0.0, math.nan
    gradient = p.activation_grad.copy()
    gradient[-1] = 0.0
    assert [(d.layer, d.quantity) for d in departures(p, std, gradient)] == [(0, "std")]


def test_a_figure_for_each_layer_is_asked_for():
    sentence = (
        "there must be one figure for each of 10 layers, got 9 of std and 10 of activation_grad"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        departures(expected(), np.ones(9), np.ones(10))
