import math
import re

import numpy as np
import pytest

from layerscope.theory import (
    ACTIVATIONS,
    NoCriticalPoint,
    activation_named,
    critical,
    mlp,
    phase_diagram,
    phase_of,
    predict,
)


@pytest.mark.parametrize(
    ("name", "bias_variance", "sigma_w2"),
    [
        ("tanh", 0.05, 1.7610),  # Schoenholz et al. (2017)
        ("tanh", 2.01e-5, 1.0500),  # Xiao et al. (2018)
        ("tanh", 0.0, 1.0),
        ("relu", 0.0, 2.0),  # He et al. (2015), equation 10
        ("leaky_relu", 0.0, 2 / (1 + 0.01**2)),  # the same, equation 15
        ("identity", 0.0, 1.0),  # Saxe et al. (2014)
        ("elu", 0.0, 1.0),
        ("gelu", 0.173, 1.9830),  # Roberts, Yaida and Hanin (2022), section 5.3.4
        ("silu", 0.5552, 1.9880),  # the same
    ],
)
def test_known_critical_points_come_out(name, bias_variance, sigma_w2):
    assert critical(name, bias_variance).sigma_w2 == pytest.approx(sigma_w2, abs=5e-5)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("bias_variance", [0.0, 2.01e-5, 0.05, 1.0])
def test_at_a_critical_point_a_layer_keeps_variance_and_gradient(name, bias_variance):
    try:
        point = critical(name, bias_variance)
    except NoCriticalPoint:
        assert name in ("gelu", "silu")
        assert bias_variance < 1
        return
    phase = phase_of(activation_named(name), point.sigma_w2, bias_variance, point.variance or 1e-12)
    assert phase.verdict == "critical"
    assert phase.chi == pytest.approx(1, abs=1e-6)
    assert phase.variance == pytest.approx(point.variance, rel=1e-6)


def test_the_sentence_says_which_bias_variance_would_do():
    sentence = (
        "gelu has no critical weight variance for a bias variance of 0, where its variance would "
        "run away from the fixed point: use a bias variance of at least 0.1730"
    )
    with pytest.raises(NoCriticalPoint, match=f"^{re.escape(sentence)}$") as error:
        critical("gelu")
    assert critical("gelu", error.value.bias_variance).sigma_w2 == pytest.approx(1.983, abs=1e-3)
    sentence = (
        "silu has no critical weight variance for a bias variance of 1e+09: its pre-activations "
        "would have a variance beyond 1e+06"
    )
    with pytest.raises(NoCriticalPoint, match=f"^{re.escape(sentence)}$"):
        critical("silu", 1e9)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tan", 0.0), "activation must be one of .*, got 'tan'"),
        (("tanh", -0.1), "bias_variance must be a finite number of at least 0, got -0.1"),
    ],
)
def test_a_bad_argument_is_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        critical(*arguments)


@pytest.mark.parametrize(
    ("name", "sigma_w2", "bias_variance", "verdict", "variance", "correlation"),
    [
        ("tanh", 0.5, 0.0, "ordered", 0.0, 1.0),
        ("tanh", 1.0, 0.05, "ordered", 0.1936, 1.0),
        ("tanh", 2.0, 0.0, "chaotic", 0.6180, 0.0),
        ("tanh", 4.0, 0.05, "chaotic", 2.1955, 0.1651),
        ("relu", 1.0, 0.1, "ordered", 0.2, 1.0),
        ("relu", 4.0, 0.0, "chaotic", math.inf, 1.0),
        ("sigmoid", 4.0, 0.0, "ordered", 1.1969, 1.0),
        ("gelu", 2.0, 0.0, "ordered", 0.0, 1.0),
    ],
)
def test_the_phase_is_where_iteration_leads(
    name, sigma_w2, bias_variance, verdict, variance, correlation
):
    phase = phase_of(activation_named(name), sigma_w2, bias_variance)
    assert phase.verdict == verdict
    assert phase.variance == pytest.approx(variance, abs=5e-5)
    assert phase.correlation == pytest.approx(correlation, abs=5e-5)
    if 0 < variance < math.inf:
        deep = predict(mlp([100] * 400, name, sigma_w2, bias_variance))
        assert deep.variance[-1] == pytest.approx(phase.variance, rel=1e-6)
        assert deep.correlation[-1] == pytest.approx(phase.correlation, abs=1e-5)


@pytest.mark.parametrize(("sigma_w2", "bias_variance"), [(1.2, 0.05), (2.5, 0.05)])
def test_depth_scales_are_the_rates_at_which_a_deep_net_settles(sigma_w2, bias_variance):
    phase = phase_of(activation_named("tanh"), sigma_w2, bias_variance)
    deep = predict(mlp([100] * 90, "tanh", sigma_w2, bias_variance))

    def scale(distances):
        return 1 / np.log(distances[0] / distances[1])

    away = np.abs(deep.variance[8:10] - phase.variance)
    assert scale(away) == pytest.approx(phase.variance_scale, rel=0.02)
    apart = np.abs(deep.correlation[70:72] - phase.correlation)
    assert scale(apart) == pytest.approx(phase.correlation_scale, rel=0.02)
    assert phase.survives == 6 * phase.correlation_scale


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "sigmoid"])
def test_the_diagram_is_the_phase_at_each_of_its_points(name):
    diagram = phase_diagram(name, np.linspace(0.3, 4, 12), np.linspace(0, 1, 7))
    for i, j in ((0, 0), (3, 2), (5, 6), (11, 3)):
        phase = phase_of(
            activation_named(name), diagram.sigma_w2[i], diagram.bias_variance[j],
            diagram.sigma_w2[i] + diagram.bias_variance[j],
        )  # fmt: skip
        assert diagram.chi[i, j] == pytest.approx(phase.chi, rel=1e-3)
        assert diagram.variance[i, j] == pytest.approx(phase.variance, rel=1e-3)
    assert diagram.depth_scale.shape == (12, 7)


def test_the_line_of_the_diagram_is_made_of_critical_points():
    diagram = phase_diagram("tanh", [1.0], [0.0])
    point = len(diagram.line_sigma_w2) // 2
    solved = critical("tanh", diagram.line_bias_variance[point])
    assert diagram.line_sigma_w2[point] == pytest.approx(solved.sigma_w2, rel=1e-6)
    assert set(phase_diagram("relu", [1.0], [0.0, 1.0]).line_sigma_w2) == {2.0}
    assert phase_diagram("gelu", [1.0], [0.0]).line_bias_variance.min() > 0.17


@pytest.mark.parametrize(
    ("axes", "sentence"),
    [
        (([], [0.0]), "sigma_w2 must be a list of at least 1 number, got shape (0,)"),
        (([1.0], [0.0, -1.0]), "bias_variance[1] must be a finite number of at least 0, got -1.0"),
    ],
)
def test_a_bad_axis_is_refused_in_one_sentence(axes, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        phase_diagram("tanh", *axes)
