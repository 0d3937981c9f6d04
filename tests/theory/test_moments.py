import math
import re

import numpy as np
import pytest
from scipy.special import erfc, erfinv

from layerscope.lab.mlp import ACTIVATIONS as MODULES
from layerscope.theory import ACTIVATIONS, activation_named, moments, saturated_share
from tests.theory.theory_reference import ERF, expectation

VARIANCES = [1e-12, 1e-6, 1e-3, 0.3, 1.0, 10.0, 78.0, 1e3, 1e6]


def test_theory_knows_the_activations_of_the_lab_and_no_others():
    assert list(ACTIVATIONS) == list(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_values_and_slopes_are_those_of_the_module(name):
    import torch

    z = np.linspace(-30, 30, 1202)  # none is 0, where some have a kink
    x = torch.tensor(z, requires_grad=True)
    y = MODULES[name]()(x)
    y.sum().backward()
    np.testing.assert_allclose(ACTIVATIONS[name].value(z), y.detach(), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(ACTIVATIONS[name].slope(z), x.grad, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("name", MODULES)
def test_integrals_are_those_of_adaptive_quadrature(name, variance):
    phi = activation_named(name)
    got = moments(phi, variance)

    def value(z):
        return float(phi.value(np.float64(z)))

    def slope(z):
        return float(phi.slope(np.float64(z)))

    second = expectation(lambda z: value(z) ** 2, variance)
    mean = expectation(value, variance)
    assert got.second == pytest.approx(second, rel=1e-6)
    assert got.slope_second == pytest.approx(expectation(lambda z: slope(z) ** 2, variance), 1e-6)
    assert got.mean == pytest.approx(mean, abs=1e-6 * math.sqrt(second))
    # About phi(0), lest the mean square of a sigmoid's outputs swallow their spread.
    middle = value(0)
    off = expectation(lambda z: value(z) - middle, variance)
    spread = expectation(lambda z: (value(z) - middle) ** 2, variance) - off**2
    assert got.variance == pytest.approx(spread, rel=1e-6)


@pytest.mark.parametrize("variance", VARIANCES)
def test_integrals_of_erf_are_its_closed_forms(variance):
    got = moments(ERF, variance)
    assert got.second == pytest.approx(
        2 / math.pi * math.asin(2 * variance / (1 + 2 * variance)), rel=1e-6
    )
    assert got.slope_second == pytest.approx(4 / math.pi / math.sqrt(1 + 4 * variance), rel=1e-6)


@pytest.mark.parametrize(("name", "slope"), [("relu", 0.0), ("leaky_relu", 0.01), ("identity", 1)])
@pytest.mark.parametrize("variance", VARIANCES)
def test_integrals_of_two_straight_lines_are_their_closed_forms(name, slope, variance):
    got = moments(activation_named(name), variance)
    half = (1 + slope**2) / 2
    assert got.second == pytest.approx(half * variance, rel=1e-6)
    assert got.fourth == pytest.approx(3 * (1 + slope**4) / 2 * variance**2, rel=1e-6)
    assert got.slope_second == pytest.approx(half, rel=1e-6)
    assert got.slope_fourth == pytest.approx((1 + slope**4) / 2, rel=1e-6)
    assert got.second_growth == pytest.approx(half, rel=1e-6)
    assert got.slope_growth * variance == pytest.approx(0, abs=1e-6)
    mean = (1 - slope) * math.sqrt(variance / 2 / math.pi)
    assert got.mean == pytest.approx(mean, rel=1e-6, abs=1e-9 * math.sqrt(variance))


def test_the_slope_of_tanh_at_variance_78_is_not_lost_between_nodes():
    # Gauss-Hermite rules of 20, 64 and 100 nodes give 0.00004, 0.004 and 0.012.
    assert moments(activation_named("tanh"), 78.0).slope_second == pytest.approx(0.060104, abs=1e-6)


@pytest.mark.parametrize("name", MODULES)
def test_growths_are_the_derivatives_by_variance(name):
    phi = activation_named(name)
    for variance in (1e-3, 0.3, 10.0):
        step = 1e-4 * variance
        low, at, high = (moments(phi, variance + side * step) for side in (-1, 0, 1))
        for growth, of in (
            ("second_growth", "second"),
            ("variance_growth", "variance"),
            ("slope_growth", "slope_second"),
        ):
            difference = (getattr(high, of) - getattr(low, of)) / (2 * step)
            scale = getattr(at, of) / variance
            assert getattr(at, growth) == pytest.approx(difference, rel=1e-6, abs=1e-8 * scale)


def test_a_batch_of_variances_is_each_by_itself():
    phi = activation_named("gelu")
    together = moments(phi, np.array(VARIANCES))
    alone = [float(moments(phi, variance).slope_second) for variance in VARIANCES]
    np.testing.assert_allclose(together.slope_second, alone, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "beyond"), [("tanh", math.atanh(0.97)), ("sigmoid", 2 * math.atanh(0.97))]
)
def test_the_saturated_share_counts_what_is_near_an_end(name, beyond):
    phi = activation_named(name)
    middle, reach = (0.5, 0.5) if name == "sigmoid" else (0.0, 1.0)
    for variance in (0.1, 1.0, 78.0):
        share = float(saturated_share(phi, variance, 0.97))
        assert share == pytest.approx(math.erfc(beyond / math.sqrt(2 * variance)), rel=1e-12)
        z = np.random.default_rng(0).standard_normal(200_000) * math.sqrt(variance)
        counted = np.mean(np.abs(phi.value(z) - middle) > 0.97 * reach)
        assert share == pytest.approx(counted, abs=0.004)  # 3 standard errors at most


def test_a_function_without_two_ends_does_not_saturate():
    assert math.isnan(saturated_share(activation_named("gelu"), 1.0, 0.97))
    share = saturated_share(ERF, 2.0, 0.9)
    assert share == pytest.approx(erfc(erfinv(0.9) / 2))


@pytest.mark.parametrize("threshold", [0, 1, 1.5, "high"])
def test_a_threshold_outside_0_to_1_is_refused(threshold):
    sentence = f"saturation_threshold must be above 0 and below 1, got {threshold!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        saturated_share(activation_named("tanh"), 1.0, threshold)


def test_an_unknown_activation_is_refused_with_the_names():
    sentence = f"activation must be one of {', '.join(ACTIVATIONS)}"
    with pytest.raises(ValueError, match=f"^{sentence}, got 'tan'$"):
        activation_named("tan")
