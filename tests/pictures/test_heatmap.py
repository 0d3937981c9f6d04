import numpy as np
import pytest

from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.pictures.heatmap import MOST_COLUMNS, binned, heatmap_picture
from layerscope.pictures.picture import to_png


def run(layers=3, steps=8):
    facts = [LayerFacts(f"{n:02d}_tanh", str(n), "Tanh") for n in range(1, layers + 1)]
    figures = Figures.empty(facts, range(steps))
    figures["saturated"][:] = 0.1 * np.arange(layers)
    figures["activation_grad_rms"][:] = 10.0 ** -np.arange(layers)
    figures["units"][:] = 50
    figures["dead_units"][:] = 5
    figures["update_to_weight"][::4] = 1e-3
    return figures


def panel(figure, title):
    (axes,) = [each for each in figure.axes if each.get_title(loc="left") == title]
    (mesh,) = axes.collections
    corners = mesh.get_coordinates()
    return axes, np.ma.asarray(mesh.get_array()).reshape(len(corners) - 1, -1), corners[0, :, 0]


def test_each_map_shows_its_figure_layer_by_step():
    figure = heatmap_picture(run())
    for title, row in (
        ("Saturated outputs", [0, 0.1, 0.2]),
        ("Activation gradient", [0, -1, -2]),
        ("Dead units", [0.1, 0.1, 0.1]),
    ):
        axes, shown, edges = panel(figure, title)
        np.testing.assert_allclose(shown, np.tile(np.array(row)[:, None], 8), atol=1e-6)
        assert edges.tolist() == list(range(9))
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names == ["01_tanh", "02_tanh", "03_tanh"]
        assert axes.get_ylim() == (2.5, -0.5)  # the first layer on top


def test_a_column_reaches_to_the_next_step_that_was_measured():
    _, shown, edges = panel(heatmap_picture(run()), "Update to weight")
    assert edges.tolist() == [0, 4, 8]
    np.testing.assert_allclose(shown, -3, atol=1e-6)


def test_bins_hold_the_median_of_their_steps_and_pass_over_what_was_not_measured():
    steps = np.arange(1000)
    values = np.stack([steps % 5, np.where(steps < 500, np.nan, 7.0)], axis=1)
    edges, medians = binned(steps, values, 1000)
    assert medians.shape == (MOST_COLUMNS, 2)
    assert edges[:3].tolist() == [0, 5, 10]
    assert edges[-1] == 1000
    assert set(medians[:, 0]) == {2.0}
    assert np.isnan(medians[:100, 1]).all()
    assert set(medians[100:, 1]) == {7.0}


def test_what_is_not_measured_is_grey_and_what_is_zero_is_beyond_the_scale():
    figures = run()
    figures["activation_grad_rms"][4:, 0] = 0
    figures["activation_grad_rms"][:4, 1] = np.nan
    axes, shown, _ = panel(heatmap_picture(figures), "Activation gradient")
    (mesh,) = axes.collections
    assert (shown[0, 4:] < mesh.norm.vmin).all()
    assert shown.mask[1, :4].all() or np.isnan(shown[1, :4].astype(float)).all()
    assert mesh.cmap.get_bad()[:3] == pytest.approx([200 / 255] * 3)
    assert mesh.colorbar.extend == "min"


def test_thresholds_are_marked_on_the_scales():
    figure = heatmap_picture(run())
    marks = {
        bar.get_ylabel(): [text.get_text() for text in bar.texts if text.get_text()]
        for bar in figure.axes
    }
    assert marks["share of outputs"] == ["5%", "20%"]
    assert marks["log₁₀ RMS(update) / RMS(weight)"] == ["-3"]


def test_a_panel_without_data_says_so_and_layers_without_any_are_left_out():
    figures = run(layers=4)
    figures["dead_units"][:] = np.nan
    for name in ("saturated", "activation_grad_rms", "update_to_weight"):
        figures[name][:, 3] = np.nan
    figure = heatmap_picture(figures)
    assert panel(figure, "Saturated outputs")[1].shape == (3, 8)
    (dead,) = [each for each in figure.axes if each.get_title(loc="left") == "Dead units"]
    assert [text.get_text() for text in dead.texts] == ["not measured in this run"]
    empty = heatmap_picture(Figures.empty([], []))
    assert sum(bool(axes.texts) for axes in empty.axes) == 4


def test_names_are_thinned_out_and_shortened():
    axes, shown, _ = panel(heatmap_picture(run(layers=300)), "Saturated outputs")
    assert shown.shape == (300, 8)
    assert len(axes.get_yticks()) <= 16
    facts = [LayerFacts("03_encoder.layers.11.attention.output", "", "Tanh")]
    figures = Figures.empty(facts, [0])
    figures["saturated"][:] = 0.5
    axes, *_ = panel(heatmap_picture(figures), "Saturated outputs")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["03_encode…ion.output"]


def test_a_noisy_deep_run_stays_below_100_kb():
    rng = np.random.default_rng(0)
    figures = run(layers=300, steps=2000)
    figures["activation_grad_rms"][:] = 10 ** rng.normal(-4, 0.3, (2000, 300))
    figures["update_to_weight"][:] = 10 ** rng.normal(-3, 0.3, (2000, 300))
    assert len(to_png(heatmap_picture(figures))) < 100_000
