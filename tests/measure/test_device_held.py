import math

import numpy as np
import pytest
import torch

from layerscope.measure import device_held
from layerscope.measure.device_held import HeldOnDevice
from layerscope.measure.device_tally import DeviceTally
from layerscope.measure.device_units import DeviceUnitTally
from layerscope.measure.row_options import RowOptions

CPU = torch.device("cpu")
RELU = [(0.0, math.inf)]


class Step:
    """One row for outputs, one for gradients, one unit row; in plain torch."""

    def __init__(self):
        self.tally = DeviceTally(CPU, RowOptions(2))
        self.units = DeviceUnitTally(CPU, 1, RELU, window=10)
        self.held = HeldOnDevice(self.tally, self.units)

    def end(self, *also):
        lost = self.held.measure(whole=True, also=also).lost
        assert self.held.is_measured
        self.held.release()
        return lost, self.tally.read(2).get()

    def first(self):
        """Let the step pass in which everything is copied."""
        assert self.held.hold(0, torch.ones(3))
        assert self.held.hold(1, torch.ones(3))
        self.end()


@pytest.fixture
def step():
    return Step()


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_what_was_held_is_measured_as_if_it_had_been_at_once(step):
    step.first()
    x, y = normal(50, 40).relu(), normal(50, 40)
    assert step.held.hold(0, x, 0, -1)
    assert not step.held.is_measured
    lost, reading = step.end((1, y.T))
    assert lost == []
    at_once, units = DeviceTally(CPU, RowOptions(2)), DeviceUnitTally(CPU, 1, RELU, window=10)
    at_once.add(0, x)
    at_once.add(1, y.T)
    units.add(0, x, -1)
    assert (reading.moments == at_once.read(2).get().moments).all()
    one, other = (each.read(0).get() for each in (step.units, units))
    assert np.array_equal(one, other, equal_nan=True)


def test_more_than_may_be_held_is_measured_before_the_step_ends(monkeypatch):
    monkeypatch.setattr(device_held, "_WITHOUT_CUDA", 1 << 16)
    step = Step()
    step.first()
    large = torch.ones(step.held.largest // 4)
    assert not step.held.hold(0, torch.ones(len(large) + 1))
    for _ in range(3):
        assert step.held.hold(0, large)
    assert step.tally.bins.sum() == 2 * len(large)
    assert step.end()[1].moments[0, 0] == 3 * len(large)


@pytest.mark.parametrize("steps_before", [0, 1])
def test_a_tensor_changed_in_place_is_never_shown_as_it_was_left(step, steps_before):
    """In the first step it is copied; where it comes later, the row is lost once."""
    for _ in range(steps_before):
        step.first()
    for round_ in range(2):
        x = torch.ones(5)
        step.held.hold(0, x)
        step.held.hold(1, torch.full((3,), 2.0))
        x.zero_()
        lost, reading = step.end()
        is_lost = steps_before == 1 and round_ == 0
        assert lost == ([0] if is_lost else [])
        counts, means = reading.moments[:, 0], reading.moments_of(1).mean
        assert counts.tolist() == [0 if is_lost else 5, 3]
        assert means == 2
        if not is_lost:
            assert reading.moments_of(0).mean == 1


def test_a_kernel_that_writes_without_telling_torch_is_found_in_the_first_step(step):
    for _ in range(3):
        x, untouched = torch.ones(5), torch.full((3,), math.nan)
        step.held.hold(0, x)
        step.held.hold(1, untouched)
        x.data.zero_()  # of which torch counts no version
        lost, reading = step.end()
        assert lost == []
        assert reading.moments_of(0).mean == 1
        assert reading.moments_of(1).nan == 3


def test_a_tensor_of_inference_mode_or_another_device_is_not_held(step):
    with torch.inference_mode():
        assert not step.held.hold(0, torch.ones(3))
    assert not step.held.hold(0, torch.ones(3, device="meta"))
    assert step.held.is_measured


def test_what_is_let_go_was_not_measured(step):
    step.held.hold(0, torch.ones(3))
    step.held.release()
    assert step.end()[1].moments[0, 0] == 0
