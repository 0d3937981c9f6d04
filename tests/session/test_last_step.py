"""The last step of a run is a keyframe, whatever its number."""

import pytest
import torch
from torch import nn

from layerscope.events.reader import read_run
from tests.watching import watch_loop


def train(folder, steps, start=0, **settings):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    watch_loop(net, folder, steps, lambda step: (torch.randn(5, 6),), start=start, **settings)
    return net


def keyframes(folder, tag="activation/00_tanh"):
    return read_run(folder / "keyframes").histograms[tag]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(1, [0]), (5, [0, 1, 2, 3, 4]), (10, [0, 1, 2, 3, 4, 6, 8, 9]), (6, [0, 1, 2, 3, 4, 5])],
)
def test_the_last_step_is_a_keyframe_and_none_is_there_twice(tmp_path, steps, expected):
    train(tmp_path, steps)
    assert keyframes(tmp_path).steps.tolist() == expected


def test_the_last_step_that_was_measured_is_the_last_keyframe(tmp_path):
    train(tmp_path, 30, every_n_steps=20)
    assert keyframes(tmp_path).steps.tolist() == [0, 1, 2, 3, 4, 6, 8, 11, 16, 23]
    train(tmp_path / "later", 22, every_n_steps=20)
    assert keyframes(tmp_path / "later").steps.tolist() == [0, 1, 2, 3, 4, 6, 8, 11, 16, 20]


def test_the_last_keyframe_has_the_weights_that_the_run_ends_with(tmp_path):
    net = train(tmp_path, 10)
    (first, *_, last) = keyframes(tmp_path, "weight/00_tanh").buckets
    weight = net[0].weight.detach()
    assert last[0, 0] == pytest.approx(weight.min().item(), rel=1e-6)
    assert last[-1, 1] == pytest.approx(weight.max().item(), rel=1e-6)
    assert first[0, 0] != last[0, 0]


def test_a_run_that_goes_on_keeps_the_step_that_was_its_last(tmp_path):
    train(tmp_path, 10)
    train(tmp_path, 5, start=10)
    assert keyframes(tmp_path).steps.tolist() == [0, 1, 2, 3, 4, 6, 8, 9, 11, 14]


def test_a_run_that_goes_on_at_any_step_tells_what_measuring_costs(tmp_path):
    train(tmp_path, 40, start=3)
    assert read_run(tmp_path).scalars["monitor/ms_per_step"].steps.tolist() == [10, 20, 30, 40]
