import pytest
import torch

from layerscope.measure.plain.table import ReferenceTable
from layerscope.measure.rows import Rows
from tests.measure.device_cases import CASES, OPTIONS, assert_as_the_cpu, read


def on_cpu(rows):
    return ReferenceTable(rows, torch.device("cpu"))


@pytest.mark.parametrize("name", CASES)
def test_plain_torch_measures_as_the_cpu_kernel_does(name):
    assert_as_the_cpu(on_cpu, CASES[name], **OPTIONS)


@pytest.mark.parametrize("name", ["normal", "two values", "subnormals", "bfloat16", "halves"])
def test_it_does_so_over_the_measured_range_and_without_options(name):
    assert_as_the_cpu(on_cpu, CASES[name])


def test_a_row_adds_up_until_it_is_read():
    parts = [CASES["normal"], CASES["bfloat16"], CASES["mean of 1e4, std of 1"], CASES["empty"]]
    assert_as_the_cpu(on_cpu, *parts, **OPTIONS)


def test_rows_are_measured_side_by_side():
    table = on_cpu(Rows(3))
    table.add_all([(0, torch.ones(5)), (2, torch.zeros(7))])
    assert read(table).moments[:, 0].tolist() == [5, 0, 7]
    assert read(table).moments[:, 0].tolist() == [0, 0, 0]


def test_it_runs_under_deterministic_algorithms():
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        assert_as_the_cpu(on_cpu, CASES["normal"], **OPTIONS)
    finally:
        torch.use_deterministic_algorithms(before)


def test_bad_rows_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match="rows must be at least 0, got -1"):
        Rows(-1)
    with pytest.raises(ValueError, match="intervals must have one entry per row, 2, got 1"):
        Rows(2, intervals=[(0.0, 1.0)])
