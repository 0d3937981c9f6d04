"""On a real device: what the interpreter cannot show, and that nothing ever waits for it."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from layerscope.measure import Tally
from layerscope.measure.device_held import HeldOnDevice
from layerscope.measure.device_tally import DeviceTally, tally_for
from layerscope.measure.device_units import units_for
from layerscope.measure.pinned_ring import PinnedRing
from layerscope.measure.plain.table import PlainTable
from layerscope.measure.row_options import RowOptions
from layerscope.measure.unit_reading import UnitColumn
from tests.measure.device_cases import CASES, OPTIONS, assert_as_the_cpu, read, refusing_to_wait
from tests.measure.reference import held

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
CUDA = torch.device("cuda")


def triton_table(rows):
    from layerscope.measure.cuda.table import TritonTable

    return TritonTable(rows, CUDA)


def reference_table(rows):
    return PlainTable(rows, CUDA)


class _FromTheHost:
    """A table that takes tensors of the CPU."""

    def __init__(self, table):
        self.counts, self.read = table.counts, table.read
        self.add = lambda row, tensor: table.add(row, tensor.cuda())


@pytest.fixture(autouse=True)
def _deterministic():
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(before)


@pytest.mark.parametrize("make_table", [triton_table, reference_table])
@pytest.mark.parametrize("name", CASES)
def test_a_device_measures_as_the_cpu_does(make_table, name):
    assert_as_the_cpu(lambda rows: _FromTheHost(make_table(rows)), CASES[name], **OPTIONS)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_all_shares_of_a_large_tensor_are_counted(kind):
    tensor = torch.tanh(torch.randn(3_000_001, device="cuda") * 3).to(kind)
    assert_as_the_cpu(lambda rows: _FromTheHost(triton_table(rows)), tensor.cpu(), **OPTIONS)


def test_the_same_tensors_give_the_same_figures_bit_for_bit():
    table, tensor = triton_table(RowOptions(1)), torch.randn(1_000_000, device="cuda")
    readings = []
    for _ in range(3):
        table.add(0, tensor)
        readings.append(read(table).moments)
    assert (readings[0] == readings[1]).all()
    assert (readings[0] == readings[2]).all()


def test_a_list_of_tensors_is_measured_as_one_by_one():
    sizes = [(100, 100), (27, 100), (27,), (1,), (0,), (4096, 1024)]
    tensors = [torch.randn(size, device="cuda") for size in sizes]
    tensors += [torch.randn(64, 64, device="cuda").bfloat16(), torch.randn(65, device="cuda")[1:]]
    one_by_one, together = triton_table(RowOptions(8)), triton_table(RowOptions(8))
    for row, tensor in enumerate(tensors):
        one_by_one.add(row, tensor)
    expected, counts = read(one_by_one, reset=False), one_by_one.counts
    for _ in range(2):
        together.add_all(enumerate(tensors))
        assert torch.equal(together.counts, counts)
        assert np.allclose(read(together).moments, expected.moments, rtol=1e-12, equal_nan=True)


def training_step(model, optimizer, held, tally, batch):
    """What the recorder does: all is held, and measured together before the optimizer's step."""

    def hook(row):
        def measure(_module, _inputs, output):
            assert held.hold(row, output, row // 2, -1)
            output.register_hook(lambda grad: (held.hold(row + 1, grad), None)[1])

        return measure

    handles = [m.register_forward_hook(hook(2 * i)) for i, m in enumerate(model)]
    loss = model(batch).square().mean()
    tally.carry(0, loss)
    optimizer.zero_grad()
    loss.backward()
    weights = [(2 * len(model) + i, p.grad) for i, p in enumerate(model.parameters())]
    assert held.measure(whole=True, also=weights).lost == []
    optimizer.step()
    for handle in handles:
        handle.remove()
    return loss


def test_a_training_step_never_waits_for_the_device():
    model = nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 64)).cuda()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    tally = tally_for(CUDA, RowOptions(10, logarithmic=[True] * 10))
    assert isinstance(tally, DeviceTally)
    units = units_for(CUDA, 3, [(-math.inf, math.inf)] * 3, 100)
    held = HeldOnDevice(tally, units)
    batches = torch.randn(40, 128, 64, device="cuda")
    for batch in batches[:2]:  # the first compiles, and compares what was held with its copy
        training_step(model, optimizer, held, tally, batch)
        tally.read(10)
        units.read(0)
    torch.cuda.synchronize()
    readings, losses = [], []
    with refusing_to_wait():
        for step, batch in enumerate(batches):  # more readings than the ring holds
            losses.append(training_step(model, optimizer, held, tally, batch))
            readings.append((tally.read(10), units.read(step)))
    for (reading, of_units), loss in zip(readings, losses, strict=True):
        assert reading.get().carried[0] == loss.item()
        assert reading.get().moments[:, 0].tolist() == [
            *(128 * 256,) * 4, *(128 * 64,) * 2, 256 * 64, 256, 256 * 64, 64
        ]  # fmt: skip
        assert of_units.get()[:, UnitColumn.UNITS].tolist() == [256, 256, 64]


def test_what_is_held_is_measured_on_the_stream_where_it_was_made():
    tally = DeviceTally(CUDA, RowOptions(1))
    units = units_for(CUDA, 1, [(-math.inf, math.inf)], 100)
    held, side = HeldOnDevice(tally, units), torch.cuda.Stream()
    x = torch.zeros(1_000_000, device="cuda")
    held.hold(0, x[:1])
    held.measure(whole=True)
    tally.read(1)
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        torch.cuda._sleep(100_000_000)
        x.fill_(2.0)
        held.hold(0, x)
    held.measure(whole=True)  # on the stream that has not waited for x
    assert tally.read(1).get().moments_of(0).mean == 2


def test_a_reading_returns_while_the_device_is_still_busy():
    tally = DeviceTally(CUDA, RowOptions(1))
    x = torch.randn(1000, device="cuda")
    tally.add(0, x)
    tally.read(1).get()
    torch.cuda._sleep(1_000_000_000)  # cycles: some half a second
    done = torch.cuda.Event()
    tally.add(0, x)
    reading = tally.read(1)
    done.record()
    assert not done.query()
    assert reading.get().moments[0, 0] == 1000
    assert done.query()


def test_it_measures_on_the_current_stream():
    tally, side = DeviceTally(CUDA, RowOptions(1)), torch.cuda.Stream()
    x = torch.zeros(1_000_000, device="cuda")
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        torch.cuda._sleep(100_000_000)
        x.fill_(2.0)
        tally.add(0, x)
        reading = tally.read(1)
    assert reading.get().moments_of(0).mean == 2


def test_a_tensor_of_the_host_is_measured_too():
    tally = DeviceTally(CUDA, RowOptions(1))
    assert tally.add(0, CASES["normal"]) == 0
    assert tally.read(1).get().moments_of(0).count == CASES["normal"].numel()


def test_histograms_are_those_of_the_cpu():
    tally, expected = DeviceTally(CUDA, RowOptions(2)), Tally(RowOptions(1))
    tally.add(1, CASES["saturated tanh"].cuda())
    expected.add(0, CASES["saturated tanh"])
    got, wanted = held(tally, 1), held(expected)
    assert got.bins.tolist() == wanted.bins.tolist()
    assert got.counts.tolist() == wanted.counts.tolist()


def test_a_full_ring_resolves_its_oldest_reading():
    source = torch.zeros(1, device="cuda")
    ring = PinnedRing(source, slots=2)
    readings = []
    for step in range(5):
        source.fill_(step)
        readings.append(ring.send(source, float))
    assert [reading.get() for reading in readings] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="slots must be at least 1, got 0"):
        PinnedRing(source, slots=0)


def test_more_than_two_to_the_31_elements_are_counted():
    size = 2**31 + 17
    if torch.cuda.mem_get_info()[0] < 3 * size:
        pytest.skip("needs 6 GB of free device memory")
    table = triton_table(RowOptions(1))
    table.add(0, torch.full((size,), 0.5, dtype=torch.bfloat16, device="cuda"))
    assert int(table.counts.sum()) == size
    assert read(table).moments[0, [0, 6, 7]].tolist() == [size, 0.5, 0]


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_a_tensor_of_another_device_is_measured_too():
    tally = DeviceTally(torch.device("cuda", 0), RowOptions(1))
    with torch.cuda.device(1):
        assert tally.add(0, torch.ones(1000, device="cuda:1")) == 0
        assert tally.read(1).get().moments_of(0).mean == 1
