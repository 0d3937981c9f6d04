import math
from itertools import pairwise

import numpy as np
import pytest

from layerscope.theory import Layer, activation_named, predict


def networks(activation, sigma_w2, bias_variance, sizes, count, rng):
    """Std of outputs and mean square gradient, [count, depth]: orthonormal weights, one by one."""
    phi = activation_named(activation)
    stds, squares = np.empty((2, count, len(sizes) - 1))
    for number in range(count):
        h = rng.standard_normal(sizes[0])
        h *= math.sqrt(sizes[0]) / np.linalg.norm(h)
        weights, slopes = [], []
        for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            tall = rng.standard_normal((max(fan_in, fan_out), min(fan_in, fan_out)))
            q, r = np.linalg.qr(tall)
            q *= np.sign(np.diag(r)) * math.sqrt(sigma_w2)
            w = q if fan_out >= fan_in else q.T
            z = w @ h + math.sqrt(bias_variance) * rng.standard_normal(fan_out)
            h = phi.value(z)
            stds[number, layer] = h.std()
            weights.append(w)
            slopes.append(phi.slope(z))
        gradient = rng.standard_normal(sizes[-1])
        for layer in range(len(sizes) - 2, -1, -1):
            squares[number, layer] = np.mean(gradient**2)
            gradient = weights[layer].T @ (slopes[layer] * gradient)
    return stds, squares


@pytest.mark.parametrize(
    ("activation", "sigma_w2", "bias_variance", "sizes"),
    [
        ("tanh", 1.05, 2e-5, [20] + [50] * 10),
        ("tanh", 2.0, 0.1, [50] * 9),
        ("tanh", 1.5, 0.05, [50, 100, 50, 100, 50]),
        ("relu", 2.0, 0.0, [50] * 6),
    ],
)
def test_orthonormal_weights_stray_as_predicted(activation, sigma_w2, bias_variance, sizes):
    """From 150 nets a standard deviation is known to 6 %; the rest is second order in 1 / width."""
    rng = np.random.default_rng(0)
    stds, squares = networks(activation, sigma_w2, bias_variance, sizes, 150, rng)
    got, gaussian = (
        predict(
            Layer(fan_in, fan_out, sigma_w2 / max(fan_in, fan_out), bias_variance, activation, each)
            for fan_in, fan_out in pairwise(sizes)
        )
        for each in (True, False)
    )
    np.testing.assert_allclose(np.log(stds).std(axis=0), got.std_spread, rtol=0.3)
    profiles = np.log(squares[:, :-1] / squares[:, -1:]) / 2
    np.testing.assert_allclose(profiles.std(axis=0), got.grad_spread[:-1], rtol=0.3)
    assert (got.grad_spread[:-1] < gaussian.grad_spread[:-1]).all()


def test_a_linear_net_of_square_orthonormal_weights_does_not_stray_at_all():
    layers = [Layer(40, 40, 1 / 40, 0.0, "identity", orthonormal=True)] * 30
    got = predict(layers)
    assert got.std_spread.max() < 1e-6
    assert got.grad_spread.max() < 1e-6
    assert predict([Layer(40, 40, 1 / 40, 0.0, "identity")] * 30).grad_spread[0] > 0.5
