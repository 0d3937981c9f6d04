import numpy as np
import pytest
import torch

from layerscope.measure import Tally
from layerscope.measure.device_tally import DeviceTally
from layerscope.measure.reading import CARRIED, Figures
from tests.measure.merged_cases import OPTIONS, assert_ranks_combine_to_the_whole, parts

CPU = torch.device("cpu")


@pytest.mark.parametrize("make", [Tally, lambda *a, **o: DeviceTally(CPU, *a, **o)])
def test_ranks_combine_to_what_one_process_measures_on_all_parts(make):
    assert_ranks_combine_to_the_whole(lambda: make(4, **OPTIONS), lambda tally: tally.read(4))


@pytest.mark.parametrize("make", [Tally, lambda *a, **o: DeviceTally(CPU, *a, **o)])
def test_a_tally_absorbs_rows_of_another(make):
    one, other, whole = make(4, **OPTIONS), make(4, **OPTIONS), Tally(4, **OPTIONS)
    for row in range(4):
        for tally, part in ((one, parts()[0][row]), (other, parts()[1][row])):
            tally.add(row, part)
            whole.add(row, part)
        one.absorb(row, other, row)
    got, expected = one.read(4), whole.read(4)
    np.testing.assert_allclose(got.moments, expected.moments, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(got.linear[..., 2], expected.linear[..., 2])


def test_scaled_figures_are_those_of_the_scaled_tensor():
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    tally, scaled = Tally(2, logarithmic=[True] * 2), Tally(2, logarithmic=[True] * 2)
    for row in (0, 1):
        tally.add(row, values * 65536)
        scaled.add(row, values if row else values * 65536)
    got = tally.read(2).scaled(np.array([False, True]), 1 / 65536)
    expected = scaled.read(2)
    np.testing.assert_allclose(got.moments, expected.moments, rtol=1e-12)
    np.testing.assert_allclose(got.linear, expected.linear, rtol=1e-6)
    np.testing.assert_allclose(got.logarithmic, expected.logarithmic, rtol=1e-5, atol=1e-5)


def test_nothing_is_copied_where_there_is_nothing_to_scale():
    figures = Figures(np.ones((1, 11)), np.ones((1, 30, 3), np.float32), np.ones((1, 30, 3)))
    assert figures.carried == (0.0,) * CARRIED
    assert figures.scaled(np.array([True]), 1.0) is figures
    assert figures.scaled(np.array([False]), 2.0) is figures
