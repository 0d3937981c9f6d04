"""`layerscope.read`: a run as arrays, by the public names alone."""

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

import layerscope


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of 30 steps whose second layer is saturated, its losses, and its watcher."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    with torch.no_grad():
        net[2].weight.mul_(50)
    losses = []
    with layerscope.watch(net, folder) as watcher:
        for _ in steps(net, losses, 30):
            watcher.step(losses[-1])
    return folder, [loss.item() for loss in losses], watcher


def steps(net, losses, number):
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for step in range(number):
        optimizer.zero_grad()
        losses.append(net(torch.randn(8, 4)).square().mean())
        losses[-1].backward()
        optimizer.step()
        yield step


def test_histograms_are_steps_and_buckets_of_left_right_and_count(trained):
    series = layerscope.read(trained[0]).histograms["activation/00_tanh"]
    assert series.steps.tolist() == list(range(30))
    assert series.buckets.shape == (30, 30, 3)
    left, right, count = np.moveaxis(series.buckets, 2, 0)
    assert (left <= right).all()
    assert (count.sum(1) == 8 * 16).all()


def test_scalars_are_those_that_tensorboard_reads(trained):
    folder = trained[0]
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    scalars = layerscope.read(folder).scalars
    assert scalars["activation_mean/00_tanh"].steps.tolist() == [0, 10, 20]
    told = events.Scalars("activation_mean/00_tanh")
    assert scalars["activation_mean/00_tanh"].values.tolist() == [each.value for each in told]


def test_the_loss_of_every_step_is_the_scalar_train_loss(trained):
    folder, losses, _ = trained
    written = layerscope.read(folder).scalars["train/loss"]
    assert written.steps.tolist() == list(range(30))
    assert written.values.tolist() == losses


def test_figures_are_arrays_of_steps_by_layers(trained):
    figures = layerscope.read(trained[0]).figures
    assert figures.steps.tolist() == list(range(30))
    assert [layer.name for layer in figures.layers] == ["00_tanh", "01_tanh", "02_linear"]
    assert figures["saturated"].shape == (30, 3)
    assert (figures["saturated"][:, 1] > 0.5).all()


def test_findings_are_those_of_the_run_with_diagnosis_json_and_without(trained, tmp_path):
    folder, _, watcher = trained
    assert "saturated" in {finding.rule for finding in watcher.findings}
    assert layerscope.read(folder).findings == watcher.findings
    (file,) = folder.glob("*tfevents*")
    (tmp_path / file.name).write_bytes(file.read_bytes())
    assert layerscope.read(tmp_path).findings == watcher.findings
    assert layerscope.read(file).findings == watcher.findings


def test_a_run_that_goes_on_in_this_process_is_read_with_all_its_steps(tmp_path):
    net, losses = nn.Sequential(nn.Linear(4, 8), nn.Tanh()), []
    watcher = layerscope.watch(net, tmp_path / "run").start()
    for step in steps(net, losses, 5):
        watcher.step()
        histograms = layerscope.read(tmp_path / "run").histograms
        assert histograms["activation/00_tanh"].steps.tolist() == list(range(step + 1))
    watcher.close()


def test_a_folder_without_a_run_and_an_address_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="no event file"):
        layerscope.read(tmp_path)
    with pytest.raises(ValueError, match="folder must be a folder on this machine, got 's3://b/r'"):
        layerscope.read("s3://b/r")
    with pytest.raises(ValueError, match="folder must be the path of a folder, got None"):
        layerscope.read(None)
