import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from layerscope.measure import Histogram, Moments, Tally
from layerscope.measure.bins import QUANTILE_ERROR
from tests.measure.cases import FINITE


def histogram_of(*parts):
    tally = Tally(1)
    for part in parts:
        tally.add(0, torch.as_tensor(part))
    return tally.histogram(0)


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
    whole = histogram_of(values)
    merged = histogram_of(parts[0])
    for part in parts[1:]:
        merged = merged + histogram_of(part)
    assert_same(merged, whole, scale)
    assert_same(histogram_of(*parts), whole, scale)  # a row adds up as a merge does


def test_a_merge_of_different_bins_is_refused():
    one = histogram_of([1.0, 2.0])
    coarse = Histogram(one.bins, one.counts, one.moments, mantissa_bits=4)
    with pytest.raises(ValueError, match="mantissa_bits is 7 here and 4 there"):
        one + coarse


def test_counts_that_miss_an_element_are_refused():
    one = histogram_of([1.0, 2.0])
    with pytest.raises(ValueError, match="must sum to the number of finite elements, 3, got 2"):
        Histogram(one.bins, one.counts, dataclasses.replace(one.moments, count=3))


@pytest.mark.parametrize("name", ["normal", "saturated tanh", "gradients over 20 decades"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0])
def test_quantiles_are_within_the_documented_error(name, share):
    x = FINITE[name].double().numpy()
    exact = float(np.quantile(x, share, method="lower"))
    assert histogram_of(FINITE[name]).quantile(share) == pytest.approx(exact, rel=QUANTILE_ERROR)


def test_quantiles_refuse_what_has_no_answer():
    with pytest.raises(ValueError, match=r"share must be between 0 and 1, got 1\.5"):
        histogram_of([1.0]).quantile(1.5)
    with pytest.raises(ValueError, match="needs at least one finite element"):
        histogram_of([math.nan]).quantile(0.5)
