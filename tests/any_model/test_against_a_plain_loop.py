"""What was written of every step equals what a plain loop finds that keeps everything."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from layerscope import LayerMonitor
from layerscope.events.reader import read_run
from tests.any_model.nets import REAL, Mlp, make, seeded
from tests.any_model.reference import FIGURES, assert_figures_are_those_of, run_plainly
from tests.any_model.training import EVERYTHING, figures, fit


@pytest.mark.parametrize("name", REAL)
def test_the_plain_loop_trains_as_lightning_does(tmp_path, name):
    plain, trained = make(name), make(name)
    run_plainly(plain)
    fit(trained, tmp_path)
    for key, weight in trained.state_dict().items():
        assert torch.equal(weight, plain.state_dict()[key]), key


@pytest.mark.parametrize("name", REAL)
def test_every_figure_and_all_counts_of_every_step_are_those_of_a_plain_loop(tmp_path, name):
    fit(make(name), tmp_path, LayerMonitor(quantities=EVERYTHING, biases=True))
    steps = run_plainly(unchecked(name))
    assert_figures_are_those_of(steps, figures(tmp_path))
    expected = {}
    for at, step in enumerate(steps):
        for (quantity, layer), elements in step.elements.items():
            if quantity != "update":
                count = np.count_nonzero(np.isfinite(elements))
                expected[f"{quantity}/{layer}", at] = count
                if quantity.endswith("_grad"):
                    expected[f"{quantity}_log10/{layer}", at] = count
    found = {
        (tag, at): np.asarray(buckets)[:, 2].sum()
        for tag, series in read_run(tmp_path).histograms.items()
        for at, buckets in zip(series.steps.tolist(), series.buckets, strict=True)
    }
    assert found == expected


def unchecked(name):
    """The same net; one that runs layers again in the backward pass is told to keep instead."""
    net = make(name)
    if name.startswith("checkpointed"):
        net.how = None
    return net


@pytest.mark.parametrize("name", ["checkpointed", "checkpointed_reentrant"])
def test_layers_that_run_again_in_the_backward_pass_count_once(tmp_path, name):
    batches = make(name).batches(6)
    fit(make(name), tmp_path, LayerMonitor(), batches=batches)
    written = figures(tmp_path)
    samples = [len(x) for x, _ in batches]
    for column, width in enumerate([8, 8, 8, 8, 3]):
        assert written["activation_count"][:, column].tolist() == [n * width for n in samples]


@pytest.mark.parametrize("name", ["resnet", "float64", "unused", "siamese"])
def test_micro_batches_add_up_also_where_the_last_step_has_fewer(tmp_path, name):
    batches = make(name).batches(5)
    fit(make(name), tmp_path, LayerMonitor(), batches=batches, accumulate_grad_batches=2)
    steps = run_plainly(make(name), batches, accumulate=2)
    assert len(steps) == 3
    assert_figures_are_those_of(steps, figures(tmp_path), set(FIGURES) - {"weight_rms"})


@pytest.mark.parametrize("name", ["resnet", "unused", "siamese"])
def test_a_last_batch_that_is_short_has_fewer_elements_and_no_other_difference(tmp_path, name):
    net = make(name)
    batches = [*net.batches(3), *net.batches(1, size=2)]
    fit(make(name), tmp_path, LayerMonitor(quantities=EVERYTHING), batches=batches)
    written = figures(tmp_path)
    assert_figures_are_those_of(run_plainly(make(name), batches), written)
    first, last = written["activation_count"][[0, -1], 0]
    assert first == 3 * last


@pytest.mark.parametrize("size", [1.0, math.inf, math.nan])
def test_a_loss_that_is_not_finite_is_measured_as_it_is(tmp_path, size):
    class Broken(Mlp):
        def training_step(self, batch, batch_idx):
            return super().training_step(batch, batch_idx) * (size if batch_idx == 2 else 1.0)

    fit(seeded(Broken), tmp_path, LayerMonitor())
    written = figures(tmp_path)
    figures_known = {"activation_count", "activation_nonfinite", "activation_grad_nonfinite"}
    figures_known |= {"weight_grad_nonfinite"}
    assert_figures_are_those_of(run_plainly(seeded(Broken)), written, figures_known)
    assert (written["weight_grad_nonfinite"][2, -1] == 0) == math.isfinite(size)


def test_layers_start_to_learn_in_the_step_in_which_they_are_unfrozen(tmp_path):
    fit(make("unfreezing"), tmp_path, LayerMonitor())
    written = figures(tmp_path)
    learning = np.nan_to_num(written["weight_grad_rms"]) > 0
    backbone, head = learning[:, 0], learning[:, -1]
    assert backbone.tolist() == [False, False, False, True, True, True]
    assert head.all()


def test_a_layer_that_is_never_called_has_weights_and_nothing_else(tmp_path):
    monitor = LayerMonitor(quantities=EVERYTHING)
    fit(make("unused"), tmp_path, monitor)
    tags = read_run(tmp_path).histograms
    assert {tag for tag in tags if "unused" in tag} == {"weight/03_unused"}
    assert "03_unused" in {missing["layer"] for missing in monitor.diagnosis["not_measured"]}


def test_a_parameter_under_two_names_is_measured_once_under_the_first(tmp_path):
    for name, first, second in (("gpt_tied", "token", "head"), ("autoencoder", "enc", "dec")):
        fit(make(name), tmp_path / name, LayerMonitor(quantities=EVERYTHING))
        tags = [tag for tag in read_run(tmp_path / name).histograms if tag.startswith("weight")]
        assert len([tag for tag in tags if first in tag]) == 3, tags  # with weight_grad_log10
        assert not [tag for tag in tags if second in tag]


def test_two_parameters_of_one_name_in_one_layer_are_told_apart(tmp_path):
    class Rectified(Mlp):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(4, 8), nn.PReLU(), nn.Linear(8, 3))

    fit(seeded(Rectified), tmp_path, LayerMonitor(quantities=EVERYTHING))
    counts = {
        tag: np.asarray(series.buckets)[0, :, 2].sum()
        for tag, series in read_run(tmp_path).histograms.items()
        if tag.startswith("weight/")
    }
    assert sorted(counts.values()) == [1, 3 * 8, 4 * 8]
