import numpy as np
import pytest
import torch

from layerscope.measure import Tally
from layerscope.measure.device_tally import DeviceTally
from layerscope.measure.reading import CARRIED, Reading
from layerscope.measure.row_options import RowOptions
from tests.measure.merged_cases import OPTIONS, assert_ranks_merge_to_the_whole, parts

CPU = torch.device("cpu")


@pytest.mark.parametrize("make", [Tally, lambda options: DeviceTally(CPU, options)])
def test_ranks_merge_to_what_one_process_measures_on_all_parts(make):
    options = RowOptions(4, **OPTIONS)
    assert_ranks_merge_to_the_whole(lambda: make(options), lambda tally: tally.read(4).get())


@pytest.mark.parametrize("make", [Tally, lambda options: DeviceTally(CPU, options)])
def test_a_tally_merges_rows_of_another(make):
    options = RowOptions(4, **OPTIONS)
    one, other, whole = make(options), make(options), Tally(options)
    for row in range(4):
        for tally, part in ((one, parts()[0][row]), (other, parts()[1][row])):
            tally.add(row, part)
            whole.add(row, part)
        one.merge_row(row, other, row)
    got, expected = one.read(4).get(), whole.read(4).get()
    np.testing.assert_allclose(got.moments, expected.moments, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(got.linear[..., 2], expected.linear[..., 2])


def test_a_scaled_reading_is_that_of_the_scaled_tensor():
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    options = RowOptions(2, logarithmic=[True] * 2)
    tally, scaled = Tally(options), Tally(options)
    for row in (0, 1):
        tally.add(row, values * 65536)
        scaled.add(row, values if row else values * 65536)
    got = tally.read(2).get().scaled(np.array([False, True]), 1 / 65536)
    expected = scaled.read(2).get()
    np.testing.assert_allclose(got.moments, expected.moments, rtol=1e-12)
    np.testing.assert_allclose(got.linear, expected.linear, rtol=1e-6)
    np.testing.assert_allclose(got.logarithmic, expected.logarithmic, rtol=1e-5, atol=1e-5)


def test_nothing_is_copied_where_there_is_nothing_to_scale():
    reading = Reading(np.ones((1, 11)), np.ones((1, 30, 3), np.float32), np.ones((1, 30, 3)))
    assert reading.carried == (0.0,) * CARRIED
    assert reading.scaled(np.array([True]), 1.0) is reading
    assert reading.scaled(np.array([False]), 2.0) is reading
