import math

import numpy as np
import pytest
from scipy.integrate import dblquad

from layerscope.theory import ACTIVATIONS, activation_named, moments, pair_moments
from tests.theory.theory_reference import ERF

VARIANCES = [1e-12, 1e-3, 1.0, 78.0, 1e6, 1e9]
CORRELATIONS = [-1, -0.99999, -0.5, 0.0, 0.3, 0.999, 1 - 1e-6, 1 - 1e-12, 1]


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("c", CORRELATIONS)
def test_pairs_of_relu_are_the_arc_cosine_kernels(variance, c):
    # Cho and Saul (2009): J_0 / 2 pi, and q J_1 / 2 pi.
    angle = math.acos(c)
    values = math.sqrt(1 - c**2) + (math.pi - angle) * c
    value, slope = pair_moments(activation_named("relu"), variance, c)
    assert value == pytest.approx(variance / 2 / math.pi * values, abs=1e-6 * variance / 2)
    assert slope == pytest.approx((math.pi - angle) / 2 / math.pi, abs=1e-6 / 2)


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("c", CORRELATIONS)
def test_pairs_of_erf_are_its_closed_forms(variance, c):
    value, slope = pair_moments(ERF, variance, c)
    second = 2 / math.pi * math.asin(2 * variance / (1 + 2 * variance))
    exact = 2 / math.pi * math.asin(2 * variance * c / (1 + 2 * variance))
    # Beyond 1e6 phi counts as a step: what is left out shrinks with the root of the variance.
    bound = 1e-6 if variance <= 1e6 else 1e-3
    assert value == pytest.approx(exact, abs=bound * second)
    near, far = 1 + 2 * variance * (1 - c), 1 + 2 * variance * (1 + c)
    most = 4 / math.pi / math.sqrt(1 + 4 * variance)
    if variance <= 1e6:
        assert slope == pytest.approx(4 / math.pi / math.sqrt(near * far), abs=1e-6 * most)


@pytest.mark.parametrize("name", ["tanh", "gelu", "elu"])
def test_pairs_are_those_of_adaptive_quadrature_over_the_plane(name):
    phi = activation_named(name)
    variance, c = 2.0, 0.6

    def integrand(v, u):
        z1 = math.sqrt(variance) * u
        z2 = math.sqrt(variance) * (c * u + math.sqrt(1 - c**2) * v)
        density = math.exp(-(u**2 + v**2) / 2) / 2 / math.pi
        return float(phi.value(np.float64(z1)) * phi.value(np.float64(z2))) * density

    exact = dblquad(integrand, -8, 8, -8, 8, epsabs=1e-7, epsrel=1e-7)[0]
    assert pair_moments(phi, variance, c)[0] == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("variance", [1e-12, 1e-3, 1.0, 78.0, 1e6])
def test_pairs_join_the_mean_at_correlation_0_and_the_second_moment_at_1(name, variance):
    phi = activation_named(name)
    one = moments(phi, variance)
    apart, _ = pair_moments(phi, variance, 0.0)
    assert apart == pytest.approx(float(one.mean) ** 2, abs=1e-6 * float(one.second))
    alike, slopes = pair_moments(phi, variance, 1 - 1e-13)
    assert alike == pytest.approx(float(one.second), rel=1e-6)
    assert slopes == pytest.approx(float(one.slope_second), rel=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_are_the_derivative_by_the_covariance(name):
    # Price (1958): d E[phi(z1) phi(z2)] / d c = q E[phi'(z1) phi'(z2)].
    phi, variance, c, step = activation_named(name), 3.0, 0.4, 1e-3
    low, high = (pair_moments(phi, variance, c + side * step)[0] for side in (-1, 1))
    slope = pair_moments(phi, variance, c)[1]
    assert variance * slope == pytest.approx((high - low) / (2 * step), rel=1e-5)
