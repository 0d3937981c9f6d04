import dataclasses
import math

import numpy as np
import pytest
import torch

from layerscope.measure import Tally
from layerscope.measure.measurable import SMALL
from layerscope.measure.row_options import RowOptions
from tests.measure.cases import FINITE
from tests.measure.resident import knows_its_memory, resident

SMALL_CASES = {name: x.reshape(-1)[: SMALL // x.element_size()] for name, x in FINITE.items()}
SMALL_CASES |= {name: FINITE[name][:16] for name in ("not contiguous", "expanded")}
AXIS = (-1.0, 1.0)


def read(*tensors, together, whole=True, **options):
    """The reading of one row that some tensors went into."""
    tally = Tally(RowOptions(1, [(-0.97, 0.97)], [AXIS], [True], **options))
    if together:
        tally.add_all([(0, tensor) for tensor in tensors], whole)
    else:
        for tensor in tensors:
            tally.add(0, tensor)
    return tally.read(1).get()


def reached(values, edges, tolerance):
    """Least and greatest number of values below each edge, were it moved by the tolerance."""
    below = np.sort(values)
    return np.searchsorted(below, edges - tolerance), np.searchsorted(below, edges + tolerance)


def assert_counts(buckets, values, tolerance):
    """The counts are those of np.histogram over the same edges, but for values within the
    tolerance of an edge.
    """
    counted = np.cumsum(buckets[:, 2].astype(np.int64))
    assert counted[-1] == values.size
    least, most = reached(values, buckets[:-1, 1].astype(np.float64), tolerance)
    assert (least <= counted[:-1]).all()
    assert (counted[:-1] <= most).all()


@pytest.mark.parametrize("name", SMALL_CASES)
def test_both_ways_hold_the_same_moments_and_the_same_edges(name):
    one, other = (read(SMALL_CASES[name], together=together) for together in (True, False))
    a, b = (dataclasses.asdict(reading.moments_of(0)) for reading in (one, other))
    assert a == pytest.approx(b, rel=1e-12)
    assert (one.linear[..., :2] == other.linear[..., :2]).all()
    assert (one.logarithmic[..., :2] == other.logarithmic[..., :2]).all()
    assert one.linear[..., 2].sum() == other.linear[..., 2].sum() == SMALL_CASES[name].numel()
    assert one.logarithmic[..., 2].sum() == SMALL_CASES[name].numel()


# What is not normal in float32 goes into the bins, whose buckets are not exact.
IN_BINS = {"subnormals", "float16 with subnormals", "float64 beyond float32"}


@pytest.mark.parametrize("name", sorted(SMALL_CASES.keys() - IN_BINS))
def test_buckets_are_those_of_numpy_to_the_stated_tolerance(name):
    reading = read(SMALL_CASES[name], together=True)
    x = SMALL_CASES[name].double().numpy().ravel()
    linear, logarithmic = reading.linear[0], reading.logarithmic[0]
    width = float(linear[0, 1]) - float(linear[0, 0])
    # The edges are float32 here, the kernel's are not.
    assert_counts(linear, x, 1e-5 * width + 1e-7 * np.abs(linear[:, :2]).max())
    assert logarithmic[0, 2] == (x == 0).sum()
    magnitudes = np.log10(np.abs(x[x != 0]))
    assert_counts(logarithmic[1:], magnitudes, 1e-4 * math.log10(2) + 1e-7 * 40)


def test_tensors_of_one_row_are_measured_as_one():
    x = SMALL_CASES["normal"]
    parts = read(x[:1000], x[1000:5000].reshape(50, 80), x[5000:], together=True)
    whole = read(x, together=True)
    assert (parts.linear == whole.linear).all()
    assert (parts.logarithmic == whole.logarithmic).all()
    a, b = (dataclasses.asdict(reading.moments_of(0)) for reading in (parts, whole))
    assert a == pytest.approx(b, rel=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e-42])
def test_a_row_with_a_value_that_is_not_normal_is_counted_in_bins_as_ever(bad):
    x = SMALL_CASES["normal"].clone()
    x[777] = bad
    for dtype in (torch.float32, torch.float64):
        one, other = (read(x.to(dtype), together=together) for together in (True, False))
        assert np.array_equal(one.moments, other.moments, equal_nan=True)
        assert (one.linear == other.linear).all()


def test_what_is_to_be_merged_goes_into_the_bins():
    x = SMALL_CASES["normal"]
    one, other = read(x, together=True, whole=False), read(x, together=False)
    assert (one.moments == other.moments).all()
    assert (one.linear == other.linear).all()
    tally = Tally(RowOptions(1))
    tally.add_all([(0, x)])
    assert tally.bins.sum() == x.numel()


def test_a_row_that_holds_something_goes_on_in_its_bins():
    x = SMALL_CASES["normal"]
    tally = Tally(RowOptions(1, logarithmic=[True]))
    tally.add(0, x[:1000])
    tally.add_all([(0, x[1000:])], whole=True)
    assert tally.read(1).get().moments_of(0).count == x.numel()


@pytest.mark.parametrize("again", ["add", "add_all"])
def test_a_row_to_which_something_comes_later_is_lost_rather_than_wrong(again):
    x = SMALL_CASES["normal"]
    tally = Tally(RowOptions(2))
    tally.add_all([(0, x), (1, x)], whole=True)
    if again == "add":
        tally.add(0, x)
    else:
        tally.add_all([(0, x)], whole=True)
    counts = tally.read(2).get().moments[:, 0].tolist()
    assert counts == [0, x.numel()]
    tally.add(0, x)  # and the next reading is as ever
    assert tally.read(1).get().moments_of(0).count == x.numel()


def test_a_larger_tensor_than_is_small_is_measured_by_itself():
    x = FINITE["normal"]
    assert x.nbytes > SMALL
    tally = Tally(RowOptions(2))
    tally.add_all([(0, x), (1, x[:100])], whole=True)
    assert tally.bins.sum(1).tolist() == [x.numel(), 0]
    assert tally.read(2).get().moments[:, 0].tolist() == [x.numel(), 100]


def test_a_sample_is_drawn_of_what_is_larger_than_max_elements():
    x = SMALL_CASES["normal"]
    tally = Tally(RowOptions(1, max_elements=2000))
    tally.add_all([(0, x)], whole=True)
    assert tally.bins.sum() == pytest.approx(2000, rel=0.1)
    assert tally.read(1).get().moments_of(0).count == x.numel()


def test_an_empty_tensor_and_one_that_is_not_of_floating_point_are_passed_over():
    tally = Tally(RowOptions(2))
    tally.add_all([(0, torch.empty(0)), (1, torch.ones(3, dtype=torch.int64))], whole=True)
    assert tally.read(2).get().moments[:, 0].tolist() == [0, 0]


def test_what_was_measured_as_a_whole_goes_to_a_row_of_another_tally():
    x = SMALL_CASES["normal"]
    before, after = Tally(RowOptions(1)), Tally(RowOptions(3))
    before.add_all([(0, x)], whole=True)
    after.add(1, x)
    for row in (0, 1):
        after.merge_row(row, before, 0)
    reading = after.read(3).get()
    assert reading.moments[:, 0].tolist() == [x.numel(), 0, 0]
    assert (reading.linear[0] == before.read(1).get().linear[0]).all()


@knows_its_memory
def test_rows_take_memory_only_where_they_need_bins():
    rows = 1000  # whose bins would take 567 MB
    tally = Tally(RowOptions(rows, logarithmic=[True] * rows))
    before = resident()
    x = SMALL_CASES["normal"][:200]
    tally.add_all([(row, x) for row in range(rows)], whole=True)
    assert tally.read(rows).get().moments[:, 0].sum() == 200 * rows
    assert resident() - before < 10e6
