"""Large tensors that wait for each other, and are measured side by side."""

import gc
import math
import weakref

import numpy as np
import pytest
import torch

from layerscope.measure import Tally
from layerscope.measure.cpu.team import run_on_team
from layerscope.measure.held import MOST_HELD, HeldTensors
from layerscope.measure.measurable import LARGE, SMALL
from layerscope.measure.row_options import RowOptions
from layerscope.measure.units import UnitTally
from tests.measure.cases import FINITE

pytestmark = pytest.mark.skipif(run_on_team() is None, reason="torch has no threads to lend here")

ROWS = 5
UNBOUNDED = (-math.inf, math.inf)


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


class Step:
    def __init__(self, **options):
        self.tally = Tally(
            RowOptions(ROWS, intervals=[(-0.97, 0.97)] * ROWS, logarithmic=[True] * ROWS, **options)
        )
        self.units = UnitTally(ROWS, [(0.0, math.inf), *[UNBOUNDED] * (ROWS - 1)], window=10)
        self.held = HeldTensors(self.tally, self.units)

    def end(self):
        unusual = self.held.measure(True)
        self.held.release()
        return unusual, self.tally.read(ROWS).get(), self.units.read(0).get()


@pytest.fixture
def step():
    return Step()


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def with_gaps(x):
    x[::1001], x[5::1007] = math.nan, -math.inf
    return x


TENSORS = [
    (0, normal(800, 90).relu(), -1),
    (1, normal(3, 20, 40, 30, seed=1), 1),
    (2, normal(400, 200, seed=2).T, -1),
    (3, with_gaps(normal(70_000, seed=3)), None),
    (1, normal(4, 20, 40, 30, seed=4), 1),
    (4, FINITE["subnormals"][:70_000], None),
]


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_they_are_counted_as_by_one_thread_to_the_last_bit(step, kind, monkeypatch):
    one = Step()
    for _ in range(3):  # in the first step they are copied; the threads' memory is used again
        for row, tensor, axis in TENSORS:
            tensor = tensor.to(kind)
            assert SMALL < tensor.nbytes <= LARGE
            unit_row = -1 if axis is None else row
            assert step.held.hold(row, tensor, unit_row, axis or -1)
            monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
            one.tally.add(row, tensor)
            if axis is not None:
                one.units.add(row, tensor, axis)
            monkeypatch.undo()
        _, reading, units = step.end()
        _, expected, units_expected = one.end()
        for name in ("moments", "linear", "logarithmic"):
            a, b = getattr(reading, name), getattr(expected, name)
            assert np.array_equal(a, b, equal_nan=True)
        assert np.array_equal(units, units_expected, equal_nan=True)


def test_threads_that_count_at_the_same_time_keep_out_of_each_other_s_way(step, monkeypatch):
    one = Step()
    tensors = [normal(LARGE // 4, seed=seed) * 10.0**seed for seed in range(4)]
    for _ in range(3):
        for row, tensor in enumerate(tensors):
            assert step.held.hold(row, tensor)
        _, reading, _ = step.end()
        monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
        for row, tensor in enumerate(tensors):
            one.tally.add(row, tensor)
        monkeypatch.undo()
        expected = one.end()[1]
        assert np.array_equal(reading.moments, expected.moments, equal_nan=True)
        assert np.array_equal(reading.linear, expected.linear, equal_nan=True)


def test_a_list_of_them_is_as_each_by_itself():
    listed, single = Step(), Step()
    given = [(row, tensor) for row, tensor, _ in sorted(TENSORS, key=lambda each: each[0])]
    listed.tally.add_all([*given, (4, normal(3)), (4, normal(LARGE // 4 + 9))], whole=False)
    for row, tensor in [*given, (4, normal(3)), (4, normal(LARGE // 4 + 9))]:
        single.tally.add(row, tensor)
    a, b = listed.end()[1], single.end()[1]
    assert np.allclose(a.moments, b.moments, rtol=1e-9, equal_nan=True)
    assert np.array_equal(a.linear[..., 2], b.linear[..., 2])


def test_one_thread_measures_at_once(step):
    torch.set_num_threads(1)
    step.held.release()  # as at the end of each step
    assert not step.held.hold(0, normal(40_000))
    assert step.held.hold(0, normal(10))


def test_a_sample_is_taken_at_once():
    assert not Step(max_elements=20_000).held.hold(0, normal(40_000))


def test_what_is_too_large_is_shared_by_the_threads(step):
    assert not step.held.hold(0, torch.ones(LARGE // 4 + 1))
    assert step.held.hold(0, torch.ones(LARGE // 4))


def test_no_more_is_held_than_is_allowed(step):
    step.held.hold(0, normal(40_000))
    step.end()
    arrays = [np.ones(LARGE // 4, np.float32) for _ in range(MOST_HELD // LARGE + 1)]
    alive = [weakref.ref(array) for array in arrays]
    for array in arrays:
        assert step.held.hold(0, torch.from_numpy(array))
    del arrays, array
    gc.collect()
    assert [each() is not None for each in alive] == [False] * (len(alive) - 1) + [True]
    assert step.end()[1].moments_of(0).count == len(alive) * LARGE // 4
    gc.collect()
    assert alive[-1]() is None


def test_what_their_layers_were_given_counts_as_held(step):
    given = [(normal(MOST_HELD // 4 - 60_000), 0)]
    x, y = normal(40_000), np.ones(40_000, np.float32)
    alive = weakref.ref(y)
    for _ in range(2):
        step.held.hold(1, normal(40_000))
        step.end()
    assert step.held.hold(1, torch.from_numpy(y), given=given)
    assert step.held.hold(0, x, given=given)  # together they would be too much
    del y
    gc.collect()
    assert alive() is None


def test_a_tensor_changed_in_place_in_the_first_step_is_measured_as_it_was(step):
    x = torch.ones(40_000)
    assert step.held.hold(0, x)
    x.add_(1)
    assert step.end()[1].moments_of(0).mean == 1
    assert not step.held.hold(0, x)  # from now on it is measured at once


def test_a_change_that_was_not_seen_before_loses_the_row_for_that_step_alone(step):
    for _ in range(2):
        step.held.hold(0, torch.ones(40_000))
        step.end()
    x = torch.ones(40_000)
    step.held.hold(0, x)
    step.held.hold(1, normal(40_000))
    x.add_(1)
    unusual, reading, _ = step.end()
    assert list(unusual.lost) == [0]
    assert reading.moments_of(0).count == 0
    assert reading.moments_of(1).count == 40_000
    step.tally.add(0, x)
    assert step.end()[1].moments_of(0).mean == 2


def test_an_output_that_is_not_finite_is_told_with_what_its_layer_was_given(step):
    good, bad = normal(40_000), with_gaps(normal(40_000))
    given, later = [(torch.ones(2), 0)], [(torch.ones(3), 0)]
    step.held.hold(0, good, given=())
    step.held.hold(0, bad, given=given)
    step.held.hold(1, bad)  # a gradient
    step.held.hold(2, good, given=later)
    for _ in range(MOST_HELD // LARGE + 1):  # so that these are measured before the step ends
        step.held.hold(3, torch.ones(LARGE // 4), given=())
    step.held.hold(0, bad, given=later)
    unusual, _, _ = step.end()
    assert unusual.not_finite == ((0, given),)
    assert step.end()[0].not_finite == ()
