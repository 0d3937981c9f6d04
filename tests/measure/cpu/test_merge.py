import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from layerscope.measure import Moments, Tally
from layerscope.measure.row_options import RowOptions
from tests.measure.reference import held


def tally_of(*parts):
    tally = Tally(RowOptions(1))
    for part in parts:
        tally.add(0, torch.as_tensor(part))
    return tally


def assert_same(one, other, scale):
    assert one.bins.tolist() == other.bins.tolist()
    assert one.counts.tolist() == other.counts.tolist()
    for field in dataclasses.fields(Moments):
        a, b = getattr(one.moments, field.name), getattr(other.moments, field.name)
        if isinstance(a, int):
            assert a == b, field.name
        elif field.name == "squared_deviations":
            assert a == pytest.approx(b, rel=1e-6, abs=1e-9 * scale**2)
        else:
            assert a == pytest.approx(b, rel=1e-6, abs=1e-9 * scale, nan_ok=True), field.name


elements = st.floats(-(2.0**60), 2.0**60, width=32) | st.sampled_from(
    [math.nan, math.inf, -math.inf]
)
floats = hnp.arrays(np.float32, st.integers(0, 300), elements=elements)


@settings(deadline=None)  # the first call loads the compiled kernel
@given(floats, st.lists(st.integers(0, 300), max_size=4))
def test_merging_parts_equals_measuring_the_whole(values, cuts):
    parts = np.split(values, sorted(min(cut, len(values)) for cut in cuts))
    finite = np.abs(values[np.isfinite(values)]).astype(np.float64)
    scale = float(finite.max(initial=0.0)) * max(len(values), 1)
    whole = held(tally_of(values))
    merged = tally_of(parts[0])
    for part in parts[1:]:
        merged.merge_row(0, tally_of(part), 0)
    assert_same(held(merged), whole, scale)
    assert_same(held(tally_of(*parts)), whole, scale)  # a row adds up as a merge does


def test_a_row_goes_on_adding_up_after_a_merge():
    parts = [torch.full((5,), 7.0), torch.tensor([1e4, 1e4 + 1]), torch.tensor([-3.0, 0.0])]
    tally = tally_of(parts[0])
    tally.merge_row(0, tally_of(parts[1]), 0)
    tally.add(0, parts[2])
    assert_same(held(tally), held(tally_of(*parts)), 1.0)


def test_the_row_that_is_merged_keeps_what_it_holds():
    one, other = tally_of(torch.tensor([1.0])), tally_of(torch.tensor([2.0, 3.0]))
    one.merge_row(0, other, 0)
    assert_same(held(other), held(tally_of(torch.tensor([2.0, 3.0]))), 1.0)
