import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from layerscope.measure.cpu.team import PART
from layerscope.measure.unit_reading import UnitColumn
from layerscope.measure.units import UnitTally
from tests.measure.unit_cases import (
    CASES,
    INNER,
    KINDS,
    LINEAR,
    RELU,
    TANH,
    Simulated,
    assert_as_simulated,
    assert_same,
    normal,
)

UNITS, SILENT, DEAD, SINCE, QUIET, SPREAD = UnitColumn


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("active", [TANH, RELU, LINEAR, INNER], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_each_step_is_told_as_the_slow_obvious_way_tells_it(name, active, kind):
    tensor, axis = CASES[name]
    tensor = tensor.to(kind)
    assert_as_simulated(UnitTally, [(tensor, axis), (-tensor, axis), (tensor, axis)], active)


@pytest.mark.parametrize(
    "shape", [(700, 300), (5000, 33), (4, 3, 200, 200), (200_000, 1), (2, 90_000)]
)
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_share_a_large_tensor(shape, threads, monkeypatch):
    tensor = torch.tanh(normal(*shape) * 9)
    axis = 1 if len(shape) == 4 else -1
    tensor.index_fill_(axis, torch.tensor([0, shape[axis] // 3]), 1.0)  # the last unit lives
    tensor.select(axis, shape[axis] // 2)[-1] = math.nan
    assert tensor.numel() >= 2 * PART
    readings = []
    for used in (1, threads):
        monkeypatch.setattr(torch, "get_num_threads", lambda used=used: used)
        tally = UnitTally(1, [TANH], 1)
        tally.add(0, tensor, axis)
        readings.append(tally.read(0).get())
    assert np.array_equal(*readings)
    inside = np.abs(tensor.movedim(axis, -1).reshape(-1, shape[axis]).numpy()) < np.float32(0.97)
    assert readings[0][0, DEAD] == (~inside.any(0)).sum() > 0


TENSORS = st.builds(
    lambda samples, units, seed, kind, squashed: (
        torch.tanh(normal(samples, units, seed=seed) * 20 + 2 * squashed).to(kind)
    ),
    st.integers(0, 9),
    st.sampled_from([1, 4, 4, 4, 4]),
    st.integers(0, 1000),
    st.sampled_from(KINDS),
    st.sampled_from([-9, 0, 9]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(TENSORS, max_size=3), max_size=12),
    st.sampled_from([TANH, RELU, LINEAR, INNER]),
    st.integers(1, 30),
)
def test_any_sequence_of_calls_and_readings_is_told_as_simulated(steps, active, window):
    tally, simulated = UnitTally(1, [active], window), Simulated(active, window)
    for step, tensors in enumerate(steps):
        for tensor in tensors:
            assert tally.add(0, tensor, -1)
            simulated.add(tensor, -1)
        assert_same(tally.read(step).get()[0], simulated.read(step))


def silent_but(*units):
    """A sample of four ReLU units, of which these are active."""
    tensor = torch.zeros(1, 4)
    tensor[0, list(units)] = 1.0
    return tensor


def told(tally, *steps):
    columns = []
    for step, tensor in enumerate(steps):
        tally.add(0, tensor, -1)
        columns.append(tally.read(step).get()[0, [SILENT, DEAD, SINCE]].tolist())
    return columns


def test_units_die_one_by_one_and_the_longest_silence_is_told():
    tally = UnitTally(1, [RELU], 3)
    story = told(
        tally, *(silent_but(*active) for active in [(0, 1, 2), (0, 1), (0, 1), (0,), (0,)])
    )
    nan = math.nan
    expected = [[1, 0, nan], [2, 0, nan], [2, 1, 0], [3, 2, 0], [3, 2, 0]]
    assert np.array_equal(story, expected, equal_nan=True)


def test_of_a_unit_that_is_active_again_the_silence_begins_anew():
    tally = UnitTally(1, [RELU], 2)
    all_on, without_3 = silent_but(0, 1, 2, 3), silent_but(0, 1, 2)
    story = told(tally, all_on, without_3, without_3, without_3, all_on, without_3, without_3)
    assert np.array_equal(
        story,
        [
            [0, 0, math.nan],
            [1, 0, math.nan],
            [1, 1, 1],
            [1, 1, 1],
            [0, 0, math.nan],
            [1, 0, math.nan],
            [1, 1, 5],
        ],
        equal_nan=True,
    )


def test_a_step_s_calls_merge_and_one_of_them_is_enough_to_be_active():
    tally = UnitTally(1, [RELU], 4)
    for tensor in (torch.zeros(2, 4), silent_but(1), torch.zeros(1, 4)):
        tally.add(0, tensor, -1)
    assert tally.read(7).get()[0].tolist() == [4, 3, 3, 7, 0, 1]


def test_a_step_without_the_layer_neither_ends_nor_lengthens_a_silence():
    tally = UnitTally(1, [RELU], 2)
    tally.add(0, torch.zeros(1, 4), -1)
    tally.read(0)
    assert tally.read(1).get()[0, UNITS] == 0
    assert tally.read(2).get()[0, UNITS] == 0
    tally.add(0, silent_but(0), -1)
    assert tally.read(3).get()[0, [DEAD, SINCE]].tolist() == [3, 0]


@pytest.mark.parametrize("units", [3, 5])
def test_another_number_of_units_starts_the_row_anew_with_its_window(units):
    tally = UnitTally(1, [RELU], 2)
    tally.add(0, torch.zeros(1, 4), -1)
    tally.read(0)
    tally.add(0, torch.full((9, 4), 100.0), -1)
    tally.add(0, torch.zeros(1, units), -1)
    assert tally.read(1).get()[0, :SINCE].tolist() == [units, units, 0]
    tally.add(0, torch.zeros(1, units), -1)
    assert tally.read(2).get()[0, :QUIET].tolist() == [units, units, units, 1]


def test_the_spread_is_the_widest_range_of_a_unit_by_the_largest_magnitude():
    tally = UnitTally(1, [LINEAR], 1)
    tally.add(0, torch.tensor([[1.0, -8.0], [3.0, -7.0]]), -1)
    assert tally.read(0).get()[0, SPREAD] == 2 / 8
    tally.add(0, torch.tensor([[1.0, -8.0], [1.0, -8.0]]), -1)
    assert tally.read(1).get()[0, SPREAD] == 0
    tally.add(0, torch.zeros(2, 2), -1)
    assert tally.read(2).get()[0, SPREAD] == 0
    tally.add(0, torch.ones(1, 2), -1)
    assert math.isnan(tally.read(3).get()[0, SPREAD])


@pytest.mark.parametrize(
    "tensor", [torch.ones(4, 5, dtype=torch.int64), torch.ones(4), torch.tensor(1.0)]
)
def test_what_has_no_units_of_floating_point_is_passed_over(tensor):
    tally = UnitTally(1, [RELU], 1)
    assert not tally.add(0, tensor, -1)
    assert tally.read(0).get()[0, UNITS] == 0


def test_watching_needs_no_gradient_and_changes_nothing():
    x = normal(6, 5).requires_grad_()
    version = x._version
    tally = UnitTally(1, [RELU], 1)
    assert tally.add(0, x, -1)
    assert tally.add(0, x.T, -1)
    assert x._version == version


def test_what_is_channels_last_is_not_copied(monkeypatch):
    tensor = CASES["channels last"][0]
    monkeypatch.setattr(torch.Tensor, "contiguous", None)
    assert UnitTally(1, [RELU], 1).add(0, tensor, 1)


def test_bad_arguments_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="rows must be at least 0, got -1"):
        UnitTally(-1, [], 1)
    with pytest.raises(ValueError, match="active must have one entry per row, 2, got 1"):
        UnitTally(2, [RELU], 1)
    with pytest.raises(
        ValueError, match=r"active must be \(low, high\) with low < high, got \(1, 1\)"
    ):
        UnitTally(1, [(1, 1)], 1)
    with pytest.raises(ValueError, match="window must be at least 1, got 0"):
        UnitTally(1, [RELU], 0)
    with pytest.raises(ValueError, match="axis must be -1 or 1, got 2"):
        UnitTally(1, [RELU], 1).add(0, torch.ones(2, 2, 2), 2)
