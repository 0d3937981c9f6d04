import numpy as np
import pytest

from layerscope.measure.bins import BINS, ZERO, bin_bounds, bin_of


def test_bins_are_numbered_in_the_order_of_their_values():
    values = np.array([-3.4e38, -1.0, -1e-45, 0.0, 1e-45, 0.5, 1.0, 1.01, 3.4e38])
    assert (np.diff(bin_of(values)) > 0).all()
    assert bin_of(0.0) == bin_of(-0.0) == ZERO
    assert bin_of(3.4e38) == BINS - 1
    assert bin_of(-3.4e38) == 0


def test_every_value_lies_within_the_bounds_of_its_bin():
    generator = np.random.default_rng(0)
    values = generator.standard_normal(10_000) * 10.0 ** generator.integers(-44, 38, 10_000)
    low, high = bin_bounds(bin_of(values.astype(np.float32)))
    assert (low <= values.astype(np.float32)).all()
    assert (values.astype(np.float32) <= high).all()


def test_a_bin_is_at_most_a_128th_of_its_values_wide():
    low, high = bin_bounds(np.arange(ZERO + 1, BINS))
    assert ((high - low) / low <= 1 / 128).all()


def test_neighbouring_bins_share_an_edge():
    low, high = bin_bounds(np.arange(BINS))
    outside_zero = np.abs(np.arange(BINS - 1) - ZERO + 0.5) > 1
    assert (high[:-1] == low[1:])[outside_zero].all()


def test_beyond_float32_values_go_into_the_outermost_or_innermost_bin():
    assert bin_of([1e300, 1e-300]).tolist() == [BINS - 1, ZERO + 1]


def test_nan_has_no_bin():
    with pytest.raises(ValueError, match="values must be finite"):
        bin_of([1.0, np.nan])
