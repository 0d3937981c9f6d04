"""The CUDA kernels on CPU tensors: run by test_kernel.py, with TRITON_INTERPRET=1."""

import pytest
import torch

from layerscope.measure.cuda.kernel import BLOCK
from layerscope.measure.cuda.table import TritonTable
from layerscope.measure.row_options import RowOptions
from tests.measure.device_cases import CASES, OPTIONS, assert_as_the_cpu, read
from tests.measure.merged_cases import OPTIONS as MERGED_OPTIONS
from tests.measure.merged_cases import assert_ranks_merge_to_the_whole

SMALL = 2 * BLOCK + 5  # the interpreter takes a millisecond for each step of a block


def on_cpu(rows):
    return TritonTable(rows, torch.device("cpu"))


def small(tensor):
    return tensor if tensor.numel() <= SMALL else tensor.flatten()[:SMALL]


@pytest.mark.parametrize("name", CASES)
def test_triton_measures_as_the_cpu_kernel_does(name):
    assert_as_the_cpu(on_cpu, small(CASES[name]), **OPTIONS)


@pytest.mark.parametrize("name", ["normal", "two values", "halves"])
def test_it_does_so_over_the_measured_range(name):
    assert_as_the_cpu(on_cpu, small(CASES[name]))


def test_not_contiguous_tensors_are_measured():
    assert_as_the_cpu(on_cpu, CASES["not contiguous"][:9, ::3].T, **OPTIONS)


def test_an_outlier_in_a_later_block_is_counted():
    assert_as_the_cpu(on_cpu, torch.cat([torch.zeros(3 * BLOCK), torch.tensor([1e6])]), **OPTIONS)


def test_more_blocks_than_programs_are_shared(monkeypatch):
    monkeypatch.setattr("layerscope.measure.cuda.table.PROGRAMS", 4)
    monkeypatch.setattr("layerscope.measure.cuda.table.SHARE", BLOCK)
    assert_as_the_cpu(on_cpu, CASES["saturated tanh"][: 9 * BLOCK + 77], **OPTIONS)


def test_a_row_adds_up_until_it_is_read_and_takes_its_shift_anew():
    parts = [small(CASES[name]) for name in ("mean of 1e4, std of 1", "bfloat16")]
    assert_as_the_cpu(on_cpu, *parts, **OPTIONS)
    table = on_cpu(RowOptions(1))
    for value in (2.0**100, 0.5):  # of which the one would swallow the other
        table.add(0, torch.full((10,), value))
        assert read(table).moments[0, [6, 7]].tolist() == [value, 0]


LISTED = [
    (3, CASES["normal"][:1008]),
    (0, CASES["constant"]),  # of 1,000: not a multiple of 16
    (5, CASES["bfloat16"][:1008]),
    (1, CASES["not contiguous"][:8, ::3]),
    (2, CASES["one element"]),
    (4, CASES["empty"]),
    (6, CASES["float64"][:1008]),
]


def test_a_list_of_tensors_is_measured_as_one_by_one():
    one_by_one, together = on_cpu(RowOptions(7)), on_cpu(RowOptions(7))
    others = [(row, -2 * tensor) for row, tensor in LISTED]
    for tensors in (LISTED, LISTED, others):  # at the same addresses, then at others
        for row, tensor in tensors:
            one_by_one.add(row, tensor)
        together.add_all(tensors)
        assert torch.equal(together.counts, one_by_one.counts)
        got, expected = read(together), read(one_by_one)
        assert (got.moments == expected.moments)[:, :9].all()
        assert (got.linear == expected.linear).all()


def test_a_list_takes_one_launch_for_each_kind_and_no_row_twice(monkeypatch):
    launched = []
    monkeypatch.setattr(TritonTable, "_add_group", lambda self, *group: launched.append(group))
    on_cpu(RowOptions(7)).add_all([*LISTED, LISTED[0]])
    kinds = [(torch.float32, True), (torch.float32, False), (torch.bfloat16, True)]
    expected = [*kinds, (torch.float64, True), (torch.float32, True)]  # the last is row 3 again
    found = [(dtype, aligned) for dtype, aligned, _ in launched]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert sorted(row for *_, group in launched for row, *_ in group) == [0, 1, 2, 3, 3, 5, 6]


def test_two_tensors_of_a_list_for_one_row_both_count():
    table, tensor = on_cpu(RowOptions(1)), torch.ones(1008)
    table.add_all([(0, tensor), (0, 3 * tensor)])
    moments = read(table).moments_of(0)
    assert (moments.count, moments.mean, moments.squared_deviations) == (2016, 2, 2016)


def test_the_same_tensors_give_the_same_figures_bit_for_bit():
    table, tensor = on_cpu(RowOptions(1)), small(CASES["normal"])
    readings = []
    for _ in range(2):
        table.add(0, tensor)
        readings.append(read(table).moments)
    assert (readings[0] == readings[1]).all()


def test_reading_empties_the_row():
    table = on_cpu(RowOptions(1))
    table.add(0, small(CASES["not all finite, float32"]))
    assert read(table).moments[0, 0] == 11
    assert read(table).moments[0, :9].tolist() == [0] * 9


def test_ranks_merge_to_what_one_process_measures_on_all_parts():
    class Readable(TritonTable):
        bins = property(lambda self: self.counts)

    assert_ranks_merge_to_the_whole(
        lambda: Readable(RowOptions(4, **MERGED_OPTIONS), torch.device("cpu")), read
    )
