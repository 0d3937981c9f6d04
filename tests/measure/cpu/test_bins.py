import numpy as np
import pytest

from layerscope.measure.bins import BINS, ZERO
from layerscope.measure.cpu.bins import bin_of, lower_edge_of
from tests.measure import reference


def bins_of(values):
    return np.array([bin_of(float(value)) for value in values])


def edges_of(bins):
    """The least and the greatest absolute value of each bin but that of zero."""
    magnitudes = np.abs(np.asarray(bins) - ZERO).tolist()
    return np.array([(lower_edge_of(m), lower_edge_of(m + 1)) for m in magnitudes]).T


def test_bins_are_numbered_in_the_order_of_their_values():
    values = [-3.4e38, -1.0, -1e-45, 0.0, 1e-45, 0.5, 1.0, 1.01, 3.4e38]
    assert (np.diff(bins_of(values)) > 0).all()
    assert bin_of(0.0) == bin_of(-0.0) == ZERO
    assert bin_of(3.4e38) == BINS - 1
    assert bin_of(-3.4e38) == 0


def test_every_value_lies_within_the_edges_of_its_bin_which_is_the_slow_way_s():
    generator = np.random.default_rng(0)
    values = generator.standard_normal(10_000) * 10.0 ** generator.integers(-44, 38, 10_000)
    values = values.astype(np.float32).astype(np.float64)
    bins = bins_of(values)
    assert (bins == reference.bin_of(values)).all()
    near, far = edges_of(bins[bins != ZERO])
    assert (near <= np.abs(values[bins != ZERO])).all()
    assert (np.abs(values[bins != ZERO]) < far).all()


def test_a_bin_is_at_most_a_128th_of_its_values_wide_and_starts_where_another_ends():
    near, far = edges_of(np.arange(ZERO + 1, BINS))
    assert ((far - near) / near <= 1 / 128).all()
    assert (far[:-1] == near[1:]).all()
    assert (near[0], far[-1]) == (2.0**-149, 2.0**128)


@pytest.mark.parametrize(
    ("value", "bin_number"), [(1e300, BINS - 1), (1e-300, ZERO + 1), (5e-324, ZERO + 1)]
)
def test_beyond_float32_values_go_into_the_outermost_or_innermost_bin(value, bin_number):
    assert bin_of(value) == bin_number
    assert bin_of(-value) == 2 * ZERO - bin_number
