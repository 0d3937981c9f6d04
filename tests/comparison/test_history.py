import numpy as np
import pytest

from layerscope.comparison.history import history_of
from layerscope.comparison.measures import gradient_factor, measures_of, signal_distance
from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts


def layer(name, order, nonlinearity="tanh", last=False):
    return LayerFacts(name, name, "Tanh", order, nonlinearity, (-1.0, 1.0), last=last)


LAYERS = [layer("00_embedding", 0, None), *(layer(f"0{n}_tanh", n) for n in (1, 2, 3))]


def figures(steps, layers=LAYERS):
    made = Figures.empty(layers, steps)
    draw = np.random.default_rng(0)
    made.of_layers[:] = draw.lognormal(size=made.of_layers.shape)
    made["update_to_weight"][1::2] = np.nan
    return made


@pytest.mark.parametrize(
    "steps", [range(1), range(40), range(2000), [0, 1, 2, 50, 51, 900], range(500, 700)]
)
def test_a_bin_holds_the_medians_of_its_steps(steps):
    made = figures(list(steps))
    history = history_of(made)
    for quantity in ("activation_grad_rms", "update_to_weight"):
        for i, (a, b) in enumerate(zip(history.edges, history.edges[1:], strict=False)):
            inside = made[quantity][(made.steps >= a) & (made.steps < b)]
            assert len(inside)
            for k, column in enumerate(inside.T):
                known = column[~np.isnan(column)]
                expected = np.median(known) if known.size else np.nan
                np.testing.assert_allclose(history.of[quantity][i, k], expected, rtol=1e-6)
    assert len(history.edges) <= 137
    assert history.edges[-1] == made.steps[-1] + 1


def test_the_first_sixteen_steps_stay_alone():
    assert history_of(figures(range(2000))).edges[:18].tolist()[:17] == list(range(17))


def test_start_and_end_are_what_was_measured_there():
    made = figures(range(100))
    history = history_of(made)
    np.testing.assert_array_equal(history.start["saturated"], made["saturated"][0])
    np.testing.assert_allclose(
        history.end["saturated"], np.median(made["saturated"][-10:], axis=0), rtol=1e-6
    )
    measured = made["update_to_weight"][::2]
    np.testing.assert_array_equal(history.start["update_to_weight"], measured[0])
    np.testing.assert_allclose(
        history.end["update_to_weight"], np.median(measured[-10:], axis=0), rtol=1e-6
    )


def test_hidden_layers_are_activation_functions_in_the_order_of_the_forward_pass():
    shuffled = [layer("00_b", 2), layer("01_a", 1), layer("02_head", 3, None, last=True)]
    assert history_of(figures(range(3), shuffled)).hidden == [1, 0]


def test_without_activation_functions_all_layers_but_the_last_are_hidden():
    plain = [layer(f"{i}", i, None, last=i == 2) for i in range(3)]
    plain.append(layer("weights", -1, None))
    assert history_of(figures(range(3), plain)).hidden == [0, 1]


def measured(history):
    return measures_of(history, 2.0, [])


def test_measures_of_a_network_with_planted_figures():
    made = Figures.empty(LAYERS, range(20))
    made["activation_grad_rms"][:] = [9.0, 0.01, 0.1, 1.0]
    made["activation_grad_rms"][10:] = [9.0, 0.25, 0.5, 1.0]
    made["saturated"][:, 1:] = [0.1, 0.2, 0.6]
    made["units"][:] = 100
    made["dead_units"][10:, 1:] = [0, 10, 20]
    made["update_to_weight"][:] = 1e-3
    found = measured(history_of(made))
    assert found["gradient_factor_start"] == pytest.approx(0.1)
    assert found["gradient_factor_end"] == pytest.approx(0.5)
    assert found["saturated"] == pytest.approx(0.3)
    assert found["saturated_worst"] == pytest.approx(0.6)
    assert found["dead"] == pytest.approx(0.1)
    assert found["dead_worst"] == pytest.approx(0.2)
    assert found["update_ratio"] == pytest.approx(-3)
    start = 1 - np.log10(0.7)
    end = -np.log10(0.5) - np.log10(0.7) - np.log10(0.9)
    assert found["signal_distance"] == pytest.approx((start + end) / 2)


def test_a_first_layer_without_gradient_is_infinitely_far():
    assert gradient_factor(np.array([0.0, 1.0], np.float32)) == 0
    assert signal_distance(0.0, 0.0, 0.0) == np.inf


def test_a_profile_of_one_layer_has_no_factor():
    assert np.isnan(gradient_factor(np.array([np.nan, 1.0], np.float32)))
    assert np.isnan(signal_distance(np.nan, 0.5, 0.5))


def test_the_first_finding_is_the_first_that_is_more_than_a_note():
    found = [
        {"severity": "note", "step": 1},
        {"severity": "critical", "step": 9},
        {"severity": "warning", "step": 5},
    ]
    assert measures_of(None, 2.0, found)["first_finding"] == 5
    assert measures_of(None, 2.0, [])["first_finding"] == np.inf
    assert np.isnan(measures_of(None, 2.0, None)["first_finding"])
