"""Without a GPU: the unit kernels through Triton's interpreter, their types by compiling them.

Triton looks at TRITON_INTERPRET once, when a kernel is defined: the tests that are interpreted run
in a process of their own, which one test starts.
"""

import numpy as np
import pytest
import torch

from layerscope.measure.row_options import UnitOptions
from tests.measure.cuda.own_process import (
    assert_passes_interpreted,
    in_a_process_of_its_own,
    interpreted,
    needs_triton,
    not_interpreted,
)
from tests.measure.unit_cases import (
    CASES,
    INNER,
    LINEAR,
    RELU,
    SIDES,
    SIGMOID,
    TANH,
    Simulated,
    assert_as_simulated,
    assert_same,
    normal,
)

pytestmark = needs_triton


def in_triton(rows, active, window):
    from layerscope.measure import device_units
    from layerscope.measure.cuda.units import TritonUnits

    tally = device_units.DeviceUnitTally(torch.device("cpu"), rows, active, window)
    tally._units = TritonUnits(UnitOptions(rows, active, window), torch.device("cpu"))
    return tally


def smaller(name):
    tensor, axis = CASES[name]
    return tensor if tensor.numel() < 13_000 else tensor[:, :, :9, :9], axis


@interpreted
@pytest.mark.parametrize("name", CASES)
def test_triton_tells_each_step_as_the_slow_obvious_way_does(name):
    tensor, axis = smaller(name)
    assert_as_simulated(in_triton, [(tensor, axis), (-tensor, axis), (tensor, axis)], TANH)


@interpreted
@pytest.mark.parametrize("active", [RELU, LINEAR], ids=str)
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("name", ["features, one dead", "pixels", "not all finite", "at the edges"])
def test_triton_does_so_for_other_kinds_and_intervals(name, active, kind):
    tensor, axis = smaller(name)
    assert_as_simulated(in_triton, [(tensor.to(kind), axis)] * 3, active)


@interpreted
@pytest.mark.parametrize("name", SIDES)
def test_a_unit_with_values_on_both_sides_is_active_only_with_one_within(name):
    tensor, axis = SIDES[name]
    assert_as_simulated(in_triton, [(tensor, axis), (1 - tensor, axis)], SIGMOID)


@interpreted
def test_triton_compares_float32_with_the_edges_as_float32():
    assert_as_simulated(in_triton, [CASES["at the edges"]], INNER)


@interpreted
@pytest.mark.parametrize("share", [1, 1000, 100_000])
def test_programs_share_the_samples_of_a_large_tensor(share, monkeypatch):
    monkeypatch.setattr("layerscope.measure.cuda.units.SHARE", share)
    for shape, axis in (((300, 70), -1), ((3, 2, 40, 41), 1)):
        tensor = torch.tanh(normal(*shape) * 5)
        tensor.index_fill_(axis, torch.tensor([1]), -1.0)
        tensor.select(axis, 0)[-1] = 7.0
        assert_as_simulated(in_triton, [(tensor, axis)], TANH)


@interpreted
def test_a_list_of_tensors_is_merged_as_one_by_one():
    shapes = [((30, 70), -1), ((30, 64), -1), ((3, 2, 40, 41), 1), ((3, 16, 4, 4), 1), ((5, 3), -1)]
    outputs = [(row, normal(*shape, seed=row), axis) for row, (shape, axis) in enumerate(shapes)]
    outputs += [
        (0, 3 * normal(4, 70), -1),
        (1, normal(7, 64).bfloat16(), -1),
        (3, normal(0, 5), -1),
    ]
    one_by_one, together = (in_triton(5, [TANH] * 5, 9) for _ in range(2))
    for step in range(2):
        for output in outputs:
            one_by_one.add(*output)
        together.add_all(outputs)
        got, expected = (tally.read(step).get() for tally in (together, one_by_one))
        assert np.array_equal(got, expected, equal_nan=True)


@interpreted
def test_more_units_than_are_read_at_a_time_are_read(monkeypatch):
    monkeypatch.setattr("layerscope.measure.cuda.units.READ_BLOCK", 16)
    tensor = normal(3, 77)
    tensor[:, ::7] = -1.0
    assert_as_simulated(in_triton, [(tensor, -1), (-tensor, -1), (tensor, -1)], RELU, window=3)


@interpreted
def test_rows_many_calls_and_steps_are_told_as_simulated():
    active = [TANH, RELU]
    tally, simulated = in_triton(2, active, 9), [Simulated(interval, 9) for interval in active]
    for step in range(20):
        for row in range(2):
            for call in range((step + row) % 3):
                x = torch.tanh(normal(1 + step % 4, 4 + step // 15, seed=step + 100 * call) * 20)
                tally.add(row, x, -1)
                simulated[row].add(x, -1)
        figures = tally.read(step).get()
        for row in range(2):
            assert_same(figures[row], simulated[row].read(step))


@interpreted
def test_compiling_leaves_the_rows_as_they_were():
    tally = in_triton(2, [RELU, TANH], 1)
    tally._units.compile()
    assert tally.read(0).get()[:, 0].tolist() == [0, 0]
    tally.add(0, torch.zeros(2, 3), -1)
    assert np.array_equal(tally.read(1).get()[0], [3, 3, 3, 1, 0, 0])
    in_triton(0, [], 1)._units.compile()


@not_interpreted
@pytest.mark.rare
@pytest.mark.slow
def test_the_interpreted_kernels_pass_their_tests():
    assert_passes_interpreted(__file__)


_COMPILE = """
import triton.language as tl
from tests.measure.cuda.compile_for_gpu import compiled
from layerscope.measure.cuda import unit_kernel as t
from layerscope.measure.cuda.units import READ_BLOCK
add = {"jobs": "*i64", "tensors": "i32", "intervals": "*fp64", "counts": "*i64"}
for kind in (tl.float32, tl.bfloat16, tl.float16, tl.float64):
    for features in (True, False):
        sizes = {"KIND": kind, "COMPARED_AS": tl.float64 if kind is tl.float64 else tl.float32}
        sizes |= {"ALIGNED": True, "ROWS": 16, "COLUMNS": 64, "FEATURES": features}
        ptx = compiled(t.add_units, add, sizes, 4, fused=True)
        assert ".ftz" not in ptx  # a subnormal output is an output
        assert "atom" in ptx or "red." in ptx
    print(kind)
read = {"heads": "*i64", "intervals": "*fp64", "counts": "*i64", "step": "i32", "window": "i32",
        "out": "*fp64"}
compiled(t.read_units, read, {"BLOCK": READ_BLOCK}, 4, fused=True)
print("read")
"""


@not_interpreted
@pytest.mark.rare
@pytest.mark.slow
def test_the_kernels_compile_for_a_gpu(tmp_path):
    said = in_a_process_of_its_own("-c", _COMPILE, "80", TRITON_CACHE_DIR=str(tmp_path))
    assert said.split() == ["fp32", "bf16", "fp16", "fp64", "read"]
