import contextlib

import numpy as np
import pytest
import torch

from layerscope.measure.device_units import DeviceUnitTally, units_for
from layerscope.measure.unit_reading import UnitColumn
from layerscope.measure.units import UnitTally
from tests.measure.device_cases import refusing_to_wait
from tests.measure.unit_cases import (
    CASES,
    INNER,
    KINDS,
    LINEAR,
    RELU,
    SIDES,
    SIGMOID,
    TANH,
    Simulated,
    assert_as_simulated,
    assert_same,
    normal,
)

CPU = torch.device("cpu")


def in_plain_torch(rows, active, window):
    return DeviceUnitTally(CPU, rows, active, window)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("active", [TANH, RELU, LINEAR, INNER], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_plain_torch_tells_each_step_as_the_slow_obvious_way_does(name, active, kind):
    tensor, axis = CASES[name]
    tensor = tensor.to(kind)
    assert_as_simulated(in_plain_torch, [(tensor, axis), (-tensor, axis), (tensor, axis)], active)


def test_plain_torch_tells_many_calls_and_steps_as_simulated():
    tally, simulated = in_plain_torch(1, [TANH], 9), Simulated(TANH, 9)
    for step in range(40):
        for call in range(step % 3):
            x = torch.tanh(normal(1 + step % 4, 4, seed=step + 100 * call) * 20)
            tally.add(0, x, -1)
            simulated.add(x, -1)
        assert_same(tally.read(step).get()[0], simulated.read(step))


def test_another_number_of_units_starts_the_row_anew():
    tally = in_plain_torch(1, [RELU], 2)
    for units in (4, 3, 3, 5):
        tally.add(0, torch.zeros(1, units), -1)
        values = tally.read(0).get()[0]
    assert values[[UnitColumn.UNITS, UnitColumn.DEAD]].tolist() == [5, 0]


@pytest.mark.parametrize("tensor", [torch.ones(4, 5, dtype=torch.int64), torch.ones(4)])
def test_what_has_no_units_of_floating_point_is_passed_over(tensor):
    tally = in_plain_torch(1, [RELU], 1)
    assert not tally.add(0, tensor, -1)
    assert tally.read(0).get()[0, UnitColumn.UNITS] == 0


def test_watching_needs_no_gradient_and_changes_nothing():
    x = normal(6, 5).requires_grad_()
    version = x._version
    tally = in_plain_torch(1, [RELU], 1)
    assert tally.add(0, x, -1)
    assert x._version == version
    assert not tally.blocks.extremes(0).requires_grad


def test_readings_keep_their_values_when_the_next_step_is_read():
    tally = in_plain_torch(1, [RELU], 1)
    tally.add(0, torch.zeros(1, 4), -1)
    first = tally.read(0)
    second = tally.read(1)
    assert (first.get()[0, UnitColumn.UNITS], second.get()[0, UnitColumn.UNITS]) == (4, 0)


def test_devices_have_the_unit_tally_that_suits_them(monkeypatch):
    assert isinstance(units_for(CPU, 1, [RELU], 1), UnitTally)

    def refuse(*args, **kwargs):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")

    assert isinstance(units_for(torch.device("meta"), 0, [], 1), DeviceUnitTally)
    monkeypatch.setattr(torch, "ones", refuse)
    assert isinstance(units_for(torch.device("mps"), 1, [RELU], 1), UnitTally)


def test_bad_arguments_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="active must have one entry per row, 2, got 1"):
        in_plain_torch(2, [RELU], 1)
    with pytest.raises(ValueError, match="axis must be -1 or 1, got 0"):
        in_plain_torch(1, [RELU], 1).add(0, torch.ones(2, 2, 2), 0)


cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class _OnCuda:
    """A tally of the GPU that takes tensors of the CPU."""

    def __init__(self, rows, active, window):
        self._tally = DeviceUnitTally(torch.device("cuda"), rows, active, window)
        self.read = self._tally.read

    def add(self, row, tensor, axis):
        return self._tally.add(row, tensor.cuda(), axis)


@cuda
@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_tells_each_step_as_the_slow_obvious_way_does(name, kind):
    tensor, axis = CASES[name]
    tensor = tensor.to(kind)
    assert_as_simulated(_OnCuda, [(tensor, axis), (-tensor, axis), (tensor, axis)], TANH)


@cuda
@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", SIDES)
def test_a_unit_on_a_gpu_with_values_on_both_sides_is_active_only_with_one_within(name, kind):
    tensor, axis = SIDES[name]
    assert_as_simulated(_OnCuda, [(tensor.to(kind), axis)] * 2, SIGMOID)


@cuda
@pytest.mark.gpu
def test_all_shares_of_a_large_tensor_are_watched_and_nothing_waits():
    shapes = [(60_000, 100), (300, 5000), (70, 33, 40, 41)]
    tallies = [DeviceUnitTally(torch.device("cuda"), 3, [TANH] * 3, 1), UnitTally(3, [TANH] * 3, 1)]
    tensors = [torch.tanh(normal(*shape) * 5) for shape in shapes]
    on_gpu = [tensor.cuda() for tensor in tensors]
    for step in range(3):
        with refusing_to_wait() if step else contextlib.nullcontext():  # the first step compiles
            for row, tensor in enumerate(on_gpu):
                tallies[0].add(row, tensor, 1 if tensor.ndim == 4 else -1)
            reading = tallies[0].read(step)
        for row, tensor in enumerate(tensors):
            tallies[1].add(row, tensor, 1 if tensor.ndim == 4 else -1)
        assert np.array_equal(reading.get(), tallies[1].read(step).get(), equal_nan=True)


@cuda
@pytest.mark.gpu
def test_rows_that_know_the_same_read_the_same_each_time():
    """A program of several warps must not empty what another of its warps has yet to read."""
    tally = DeviceUnitTally(torch.device("cuda"), 64, [TANH] * 64, 8192)
    tensor = torch.tanh(normal(256, 4096).cuda() * 5)
    for step in range(50):
        for row in range(64):
            tally.add(row, tensor, -1)
        values = tally.read(step).get()
        assert (values[:, UnitColumn.UNITS] == 4096).all()
        assert (values[:, UnitColumn.DEAD] <= 4096).all()
        assert np.array_equal(values, np.broadcast_to(values[0], values.shape), equal_nan=True)
