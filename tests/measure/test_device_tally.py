import math

import numpy as np
import pytest
import torch

from layerscope.measure import Tally
from layerscope.measure.device_tally import DeviceTally, table_on, tally_for
from layerscope.measure.plain.table import PlainTable
from layerscope.measure.row_options import RowOptions
from tests.measure.cases import FINITE
from tests.measure.reference import held

CPU = torch.device("cpu")
OPTIONS = {"intervals": [(-0.97, 0.97), (0.0, 1.0)], "logarithmic": [False, True]}


def measured(tally):
    assert tally.add(0, FINITE["saturated tanh"]) == 0
    assert tally.add(1, FINITE["gradients over 20 decades"]) == 0
    return tally


def test_a_device_s_tally_reads_as_the_cpu_s():
    reading = measured(DeviceTally(CPU, RowOptions(2, **OPTIONS))).read(2).get()
    expected = measured(Tally(RowOptions(2, **OPTIONS))).read(2).get()
    assert np.allclose(reading.moments, expected.moments, rtol=1e-9)
    assert (reading.linear == expected.linear).all()
    assert (reading.logarithmic[1] == expected.logarithmic[1]).all()
    assert reading.moments_of(1).count == FINITE["gradients over 20 decades"].numel()


def test_a_reading_empties_its_rows_and_no_others():
    tally = measured(DeviceTally(CPU, RowOptions(2)))
    assert tally.read(1).get().moments[:, 0].tolist() == [200_000]
    assert tally.read(2).get().moments[:, 0].tolist() == [0, 200_000]


def test_what_a_row_holds_is_as_on_the_cpu_and_stays():
    tally = measured(DeviceTally(CPU, RowOptions(2)))
    expected = held(measured(Tally(RowOptions(2))), 1)
    for _ in range(2):
        row = held(tally, 1)
        assert row.bins.tolist() == expected.bins.tolist()
        assert row.counts.tolist() == expected.counts.tolist()
    assert row.moments.maximum == expected.moments.maximum


def test_a_list_is_measured_as_one_by_one():
    tally = DeviceTally(CPU, RowOptions(2))
    tally.add_all([(1, torch.ones(3)), (0, torch.ones(5, dtype=torch.int64))])
    assert tally.read(2).get().moments[:, 0].tolist() == [0, 3]


def test_scalars_are_carried_along_once():
    tally = DeviceTally(CPU, RowOptions(1))
    for loss in (1.5, 2.5):
        tally.carry(0, torch.tensor(loss, requires_grad=True))
    assert tally.read(1).get().carried[0] == 4
    assert tally.read(1).get().carried[0] == 0
    tally.carry(0, torch.tensor(math.nan))
    assert math.isnan(tally.read(1).get().carried[0])
    assert tally.read(1).get().carried[0] == 0


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
def test_what_is_not_of_floating_point_is_passed_over(dtype):
    tally = DeviceTally(CPU, RowOptions(1))
    assert tally.add(0, torch.ones(3, dtype=dtype)) is None
    assert held(tally).moments.count == 0


def test_measuring_needs_no_gradient_and_changes_nothing():
    x = torch.randn(10, requires_grad=True)
    version = x._version
    tally = DeviceTally(CPU, RowOptions(1))
    tally.add(0, x)
    tally.add_all([(0, x)])
    assert x._version == version
    assert tally.read(1).get().moments[0, 0] == 20


def test_devices_have_the_tally_that_suits_them():
    assert isinstance(tally_for(CPU, RowOptions(1)), Tally)
    assert isinstance(table_on(CPU, RowOptions(1)), PlainTable)


def test_a_device_that_knows_no_float64_has_the_cpu_s_tally(monkeypatch):
    def refuse(*args, **kwargs):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")

    monkeypatch.setattr(torch, "ones", refuse)
    assert isinstance(tally_for(torch.device("mps"), RowOptions(1)), Tally)


def test_bad_arguments_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="rows must be at least 0, got -1"):
        DeviceTally(CPU, RowOptions(-1))
    with pytest.raises(ValueError, match="axes must have one entry per row, 2, got 1"):
        DeviceTally(CPU, RowOptions(2, axes=[None]))
