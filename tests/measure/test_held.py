import gc
import math
import weakref

import numpy as np
import pytest
import torch

from layerscope.measure import Tally
from layerscope.measure.held import MOST_HELD, HeldTensors
from layerscope.measure.measurable import SMALL
from layerscope.measure.row_options import RowOptions
from layerscope.measure.units import UnitTally

UNBOUNDED = (-math.inf, math.inf)


class Step:
    """One row for outputs, one for gradients, one unit row."""

    def __init__(self):
        self.tally, self.units = Tally(RowOptions(2)), UnitTally(1, [(0.0, math.inf)], window=10)
        self.held = HeldTensors(self.tally, self.units)

    def end(self, whole=True):
        unusual = self.held.measure(whole)
        self.held.release()
        return unusual, self.tally.read(2).get()


@pytest.fixture
def step():
    return Step()


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def known(step):
    """Let the first step pass, in which everything is copied."""
    step.held.hold(0, normal(3))
    step.end()


@pytest.mark.parametrize("whole", [True, False])
def test_what_was_held_is_measured_as_if_it_had_been_at_once(step, whole):
    x, y = normal(50, 40).relu(), normal(50, 40)
    assert step.held.hold(0, x, 0, -1, ())
    assert step.held.hold(1, y.T)
    unusual, reading = step.end(whole)
    assert not unusual.lost
    assert not unusual.not_finite
    at_once, units = Tally(RowOptions(2)), UnitTally(1, [(0.0, math.inf)], window=10)
    at_once.add(0, x)
    at_once.add(1, y.T)
    units.add(0, x, -1)
    assert (reading.moments == at_once.read(2).get().moments).all()
    one, other = (each.read(0).get() for each in (step.units, units))
    assert np.array_equal(one, other, equal_nan=True)


def test_a_tensor_changed_in_place_in_the_first_step_is_measured_as_it_was(step):
    for _ in range(3):  # and from then on
        x = torch.ones(4)
        step.held.hold(0, x)
        x.mul_(5)
        unusual, reading = step.end()
        assert not unusual.lost
        assert reading.moments_of(0).mean == 1


def test_a_change_that_was_not_seen_before_loses_the_row_for_that_step_alone(step):
    known(step)
    x = torch.ones(4)
    step.held.hold(0, x, 0, -1)
    step.held.hold(1, torch.ones(2))
    x.view(2, 2)[0] = 5.0  # a view counts as well
    unusual, reading = step.end()
    assert unusual.lost == [0]
    assert reading.moments[:, 0].tolist() == [0, 2]
    x = torch.ones(4)
    step.held.hold(0, x)
    x.mul_(5)
    unusual, reading = step.end()
    assert not unusual.lost
    assert reading.moments_of(0).mean == 1


def test_memory_that_was_taken_away_is_not_read(step):
    known(step)
    x = torch.ones(1000)
    step.held.hold(0, x)
    x.untyped_storage().resize_(0)
    unusual, reading = step.end()
    assert unusual.lost == [0]
    assert reading.moments_of(0).count == 0


def test_what_comes_to_a_row_after_it_was_measured_is_measured_with_it(step):
    x, y = normal(30, 10), normal(20, 10)
    step.held.hold(0, x, 0, -1)
    step.held.measure(whole=True)
    step.held.hold(0, y, 0, -1)
    _, reading = step.end()
    both = Tally(RowOptions(1))
    both.add_all([(0, torch.cat([x, y]))], whole=True)
    assert reading.moments_of(0).count == 500
    assert (reading.linear[0] == both.read(1).get().linear[0]).all()
    assert step.units.blocks.samples.tolist() == [50]


def test_what_was_measured_as_a_whole_can_be_put_into_bins(step):
    x = normal(100)
    step.held.hold(0, x)
    step.held.measure(whole=True)
    assert not step.tally.bins.any()
    step.held.put_into_bins()
    assert step.tally.bins[0].sum() == 100
    assert step.end()[1].moments_of(0).count == 100


def test_what_is_large_or_too_much_is_not_held(step):
    assert not step.held.hold(0, torch.ones(SMALL // 4 + 1))
    held = 0
    while step.held.hold(0, torch.ones(SMALL // 4)):
        held += SMALL
    assert held == MOST_HELD
    step.end()
    assert step.held.hold(0, torch.ones(SMALL // 4))


class Thing:
    """Can be referred to weakly."""


class WithThing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, thing):
        ctx.thing = thing
        return x * 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def test_no_graph_is_kept(step):
    known(step)
    thing = Thing()
    graph = weakref.ref(thing)
    x = WithThing.apply(torch.ones(3, requires_grad=True), thing)
    step.held.hold(0, x)
    del x, thing
    gc.collect()
    assert graph() is None
    assert step.end()[1].moments_of(0).mean == 2


def test_nothing_is_kept_when_the_step_is_over(step):
    known(step)
    array = np.ones(3, np.float32)
    memory = weakref.ref(array)
    step.held.hold(0, torch.from_numpy(array))
    del array
    gc.collect()
    assert memory() is not None
    step.end()
    gc.collect()
    assert memory() is None


def test_an_output_that_is_not_finite_is_told_with_what_its_layer_was_given(step):
    good, bad = torch.ones(4), torch.tensor([1.0, math.nan])
    given = [(torch.ones(2), 0)]
    step.held.hold(0, good, given=())
    step.held.hold(0, bad, given=given)
    step.held.hold(1, bad)  # a gradient
    unusual, reading = step.end()
    assert unusual.not_finite == [(0, given)]
    assert reading.moments[:, 2].tolist() == [1, 1]


def test_a_tensor_of_inference_mode_is_left_to_be_measured_at_once(step):
    with torch.inference_mode():
        x = torch.ones(3) * 2
        assert not step.held.hold(0, x)
