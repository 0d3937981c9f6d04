import numpy as np
import pytest

from layerscope.pictures.phase_diagram import phase_picture
from layerscope.theory import critical

RUNS = [("random", 100.0, 1.0), ("xavier", 1.0, 0.0), ("orthogonal", 1.0, 0.0)]


def lines(axes):
    return {each.get_label(): each.get_xydata() for each in axes.lines}


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_the_critical_line_is_drawn_from_a_bias_variance_of_0(activation):
    axes, _ = phase_picture(activation).axes
    line = lines(axes)["critical line: χ = 1"]
    np.testing.assert_allclose(line[0], [critical(activation).sigma_w2, 0])
    low, high = axes.get_xlim()
    assert low < line[0, 0] < high


def test_every_run_is_a_dot_at_its_variances_and_runs_at_one_place_share_it():
    figure = phase_picture("tanh", RUNS)
    dots = lines(figure.axes[0])
    np.testing.assert_allclose(dots["1  random"], [[100, 1]])
    np.testing.assert_allclose(dots["2  xavier and orthogonal"], [[1, 0]])
    numbers = {text.get_text() for text in figure.axes[0].texts}
    assert {"1", "2"} < numbers
    for axis, places in (
        (figure.axes[0].get_xlim(), (1, 100)),
        (figure.axes[0].get_ylim(), (0, 1)),
    ):
        assert axis[0] < min(places)
        assert max(places) < axis[1]


def test_colours_are_depth_scales_which_are_longest_at_the_critical_line():
    axes, bar = phase_picture("relu").axes
    (mesh,) = axes.collections
    scale = np.asarray(mesh.get_array()).reshape(mesh.get_coordinates().shape[0] - 1, -1)
    corners = mesh.get_coordinates()[0, :, 0]
    middle = np.sqrt(corners[1:] * corners[:-1])
    assert middle[scale[0].argmax()] == pytest.approx(2, rel=0.05)
    one = np.abs(middle - 1).argmin()  # 1 / ln 2 at a weight variance of 1
    assert scale[0, one] == pytest.approx(1 / np.log(2), rel=0.1)
    assert "depth scale" in bar.get_ylabel()


def test_phases_are_named_on_their_sides():
    axes = phase_picture("tanh").axes[0]
    places = {text.get_text().split("\n")[0]: text.get_position()[0] for text in axes.texts}
    assert places["ordered"] < places["chaotic"]


def test_many_runs_are_dots_of_which_twelve_are_named():
    runs = [(f"run {k}", 1 + k / 10, 0.0) for k in range(20)]
    figure = phase_picture("tanh", runs)
    assert sum(len(each.get_xdata()) == 1 for each in figure.axes[0].lines) == 20
    assert len(figure.legends[0].get_texts()) == 13


def test_weights_of_variance_0_are_drawn():
    assert phase_picture("tanh", [("nothing", 0.0, 0.0)]).axes


def test_an_unknown_activation_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match=r"^activation must be one of tanh, .*, got 'tan'$"):
        phase_picture("tan")
