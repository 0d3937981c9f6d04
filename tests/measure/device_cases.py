"""What every table on a device must measure as the CPU's does, and how it is told."""

import contextlib
import math
import warnings

import numpy as np
import pytest
import torch

from layerscope.measure import Tally
from layerscope.measure.moments import MomentColumn
from layerscope.measure.row_options import RowOptions
from layerscope.measure.transfer_row import TRANSFERRED, reading_of
from tests.measure.cases import FINITE
from tests.measure.reference import held

_WITH_GAPS = [math.nan, math.inf, -0.0, math.inf, -math.inf, 1.0, 0.0, 1e-30, 0.97, -0.97, 0.98]
_LARGEST = [3.4028235e38, -3.4028235e38, 1e-45, -1e-45]

CASES = {
    **FINITE,
    **{f"not all finite, {d}": torch.tensor(_WITH_GAPS, dtype=getattr(torch, d))
       for d in ("float32", "float64", "bfloat16", "float16")},
    "nothing finite": torch.tensor([math.nan, math.inf] * 500),
    "nothing finite at first": torch.cat([torch.full((5000,), math.nan), torch.ones(7)]),
    "one nan among many": FINITE["normal"].clone().index_fill(0, torch.tensor([12345]), math.nan),
    "the ends of float32": torch.tensor(_LARGEST),
    "beyond both ends of float32": torch.tensor([1e60, -1e60, 1e-60, -1e-60], dtype=torch.float64),
    "float64 of some magnitude": torch.tensor([1e150, -1e-300, 5e-324, 0.1], dtype=torch.float64),
    "two neighbouring bins": torch.tensor([1.0, 1.01]).repeat(50),
    "three neighbouring bins": torch.tensor([1.0, 1.01, 1.02]).repeat(50),
    "four neighbouring bins": torch.tensor([-1.0, -1.01, -1.02, -1.03]).repeat(50),
    # An edge of the axis from -1 to 1 is 0.2, another -0.2: it cuts a bin beyond its only values.
    "just below an edge": torch.tensor([0.1993, 0.1999]).repeat(5),
    "just above an edge": torch.tensor([0.20005, 0.2001]).repeat(5),
    "just below a negative edge": torch.tensor([-0.20005, -0.2001]).repeat(5),
    # 28 of 30 buckets cut a bin of 14 elements above one of 1: many of them at a half.
    "halves": 1 + torch.tensor([-2.0, *([0.0, 28.0] * 7)]) * 2**-12,
    "empty": torch.empty(0, 5),
}  # fmt: skip

OPTIONS = {"intervals": [(-0.97, 0.97)], "axes": [(-1.0, 1.0)], "logarithmic": [True]}


def assert_as_the_cpu(make_table, *tensors, **options):
    """A table measures tensors into one row as `Tally` does: counts and buckets to the element."""
    tally, table = Tally(RowOptions(1, **options)), make_table(RowOptions(1, **options))
    for tensor in tensors:
        tally.add(0, tensor)
        table.add(0, tensor)
    histogram, expected = held(tally), tally.read(1).get()
    counts = table.counts[0].cpu().numpy()
    assert np.flatnonzero(counts).tolist() == histogram.bins.tolist()
    assert counts[histogram.bins].tolist() == histogram.counts.tolist()
    reading = read(table)
    scale = float(np.nanmax(np.abs(expected.moments[0, MomentColumn.MINIMUM :]), initial=0.0))
    for column in MomentColumn:
        got, wanted = reading.moments[0, column], expected.moments[0, column]
        if column == MomentColumn.SQUARED_DEVIATIONS:  # of rounding errors, around a constant
            near = {"rel": 1e-9, "abs": 1e-20 * scale**2}
            assert got == pytest.approx(wanted, **near), column.name
        elif column in (MomentColumn.MEAN, MomentColumn.ABSOLUTE_SUM):
            assert got == pytest.approx(wanted, rel=1e-9, abs=1e-14 * scale), column.name
        else:
            assert got == wanted or (math.isnan(got) and math.isnan(wanted)), column.name
    assert np.array_equal(reading.linear, expected.linear)
    if options.get("logarithmic"):
        assert np.array_equal(reading.logarithmic, expected.logarithmic)
    assert not table.counts.any()  # reading has emptied the row


def read(table, reset=True):
    rows = len(table.counts)
    device = table.counts.device
    sent = torch.full((rows, TRANSFERRED), math.nan, dtype=torch.float64, device=device)
    table.read(rows, reset, sent)
    return reading_of(sent.cpu().numpy())


@contextlib.contextmanager
def refusing_to_wait():
    """Raises where the host would wait for the CUDA device."""
    before = torch.cuda.get_sync_debug_mode()
    try:
        with warnings.catch_warnings():  # of the mode itself, that it is a prototype
            warnings.simplefilter("ignore", UserWarning)
            torch.cuda.set_sync_debug_mode("error")
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
