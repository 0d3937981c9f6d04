import numpy as np
import pytest

from layerscope.pictures.picture import to_png
from layerscope.pictures.profile import DepthProfile, profile_picture
from layerscope.theory import PredictionSummary, mlp, predict

PREDICTION = PredictionSummary.of(predict(mlp([100] * 6, "tanh", 2.0)))
MEASURED = DepthProfile(0, [0.6, 0.61, 0.62, None, 0.64], [4e-3, 2e-3, 1e-3, 2e-3, 1e-3])


def line(axes, label):
    (found,) = [each for each in axes.lines if each.get_label() == label]
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata(), float)


def test_dots_are_what_was_measured_and_gradients_are_relative_to_the_last_layer():
    spread, gradient = profile_picture(PREDICTION, MEASURED).axes
    at, dots = line(spread, "measured at step 0")
    assert at.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_equal(dots, [0.6, 0.61, 0.62, np.nan, 0.64])
    np.testing.assert_allclose(line(gradient, "measured at step 0")[1], [4, 2, 1, 2, 1])
    assert gradient.get_yscale() == "log"
    assert spread.get_yscale() == "linear"


def test_the_line_is_theory_and_its_band_two_spreads_wide():
    spread, gradient = profile_picture(PREDICTION, MEASURED).axes
    for axes, name, width in (
        (spread, "std", "std_spread"),
        (gradient, "activation_grad", "grad_spread"),
    ):
        predicted = np.array(getattr(PREDICTION, name))
        np.testing.assert_allclose(line(axes, "theory for step 0")[1], predicted)
        (band,) = axes.collections
        edges = band.get_paths()[0].vertices
        factor = np.exp(2 * np.array(getattr(PREDICTION, width)))
        assert edges[edges[:, 0] == 2, 1].min() == pytest.approx(predicted[1] / factor[1])
        assert edges[edges[:, 0] == 2, 1].max() == pytest.approx(predicted[1] * factor[1])


def test_a_later_step_and_what_is_far_from_theory_are_marked():
    later = DepthProfile(100, [0.7] * 5, [1.0] * 5)
    off = [{"layer": 2, "quantity": "std"}]
    figure = profile_picture(PREDICTION, MEASURED, later, off)
    spread, gradient = figure.axes
    assert line(spread, "measured at step 100")[1].tolist() == [0.7] * 5
    at, dots = line(spread, "far from theory")
    assert (at.tolist(), dots.tolist()) == ([3], [0.62])
    assert "far from theory" not in [each.get_label() for each in gradient.lines]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == [
        "theory, ± 2 spreads of the draw", "theory for step 0", "measured at step 0",
        "measured at step 100", "far from theory",
    ]  # fmt: skip


def test_a_fading_std_gets_a_logarithmic_axis_and_the_title_the_verdict():
    figure = profile_picture(PREDICTION, DepthProfile(0, [1, 0.1, 1e-2, 1e-3, 1e-4], [1.0] * 5))
    assert figure.axes[0].get_yscale() == "log"
    assert "chaotic, χ = 1.11" in figure.get_suptitle()


def test_without_a_prediction_the_measured_is_drawn_and_the_title_says_why():
    silent = PredictionSummary(reason="MyScheme does not tell theory its variances")
    figure = profile_picture(silent, MEASURED)
    assert "MyScheme does not tell theory its variances" in figure.get_suptitle()
    assert [each.get_label() for each in figure.axes[0].lines] == ["measured at step 0"]
    assert profile_picture(None, MEASURED).get_suptitle() == "Every hidden layer as measured"


def test_gradients_that_are_zero_are_said_not_drawn():
    figure = profile_picture(None, DepthProfile(0, [0.5] * 5, [0.0] * 5))
    assert [text.get_text() for text in figure.axes[1].texts] == [
        "nothing measured is finite and above 0"
    ]


def test_the_same_figure_is_the_same_png_and_small():
    one, two = (to_png(profile_picture(PREDICTION, MEASURED)) for _ in range(2))
    assert one == two
    assert one[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(one[16:20]) == 1000
    assert len(one) < 100_000
