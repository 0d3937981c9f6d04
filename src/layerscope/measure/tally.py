"""Many tensors measured side by side, step after step, without allocating anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from layerscope.measure.bins import BINS
from layerscope.measure.cpu.kernel import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, add_to_row
from layerscope.measure.cpu.merge import add_row
from layerscope.measure.cpu.parallel import PART, add_in_parts
from layerscope.measure.cpu.rebin import read_rows
from layerscope.measure.histogram import Histogram
from layerscope.measure.merged_figures import FIGURES
from layerscope.measure.reading import BUCKETS, CARRIED, MOMENTS, Figures, Reading
from layerscope.measure.rows import Rows
from layerscope.measure.table import (
    ABSOLUTE,
    COUNT,
    FAR,
    HIGH,
    LEFT_OUT,
    LOW,
    MAXIMUM,
    MINIMUM,
    NEAR,
    OUTSIDE,
    SHIFT,
    SQUARES,
    SUM,
    Table,
)

KINDS = {
    torch.float32: FLOAT32,
    torch.bfloat16: BFLOAT16,
    torch.float16: FLOAT16,
    torch.float64: FLOAT64,
}


_PLAIN = (Tensor, nn.Parameter)

EXACT = 1 << 62
"""As `max_elements`: every element of every tensor is counted in the bins."""


def is_measurable(tensor: Tensor) -> bool:
    """Whether a tensor has elements to count: dense, of a known kind, and in memory of its own,
    which a DTensor, a FakeTensor, a lazy parameter and a tensor on the meta device have not.
    """
    if type(tensor) not in _PLAIN and (
        is_lazy(tensor) or type(tensor).__torch_dispatch__ is not Tensor.__torch_dispatch__
    ):
        return False
    return tensor.dtype in KINDS and tensor.layout is torch.strided and not tensor.is_meta


class Tally:
    """Counts and sums of many tensors, one row each; a row adds up until it is read.

    Args:
        rows: how many tensors are measured side by side.
        intervals: (low, high) per row: elements outside are counted (the saturated ones).
        axes: (left, right) per row: the least range that `linear` shows, for a bounded activation;
            None shows the measured range.
        logarithmic: per row, whether it is also shown as log10 |x|; none without it.
        max_elements: of a tensor with more, a random sample of this size makes the histogram; its
            moments, extremes, zeros and non-finite counts are exact all the same.

    Raises:
        ValueError: rows is negative, another argument has another length, or max_elements is below
            1.
    """

    def __init__(
        self,
        rows: int,
        intervals: Sequence[tuple[float, float]] | None = None,
        axes: Sequence[tuple[float, float] | None] | None = None,
        logarithmic: Sequence[bool] | None = None,
        max_elements: int = EXACT,
    ) -> None:
        asked = Rows(rows, intervals, axes, logarithmic)
        if max_elements < 1:
            raise ValueError(f"max_elements must be at least 1, got {max_elements}")
        self._table = Table(rows)
        self._table.sums[:, LOW : HIGH + 1] = asked.intervals
        self._axes = asked.axes
        self._logarithmic = asked.logarithmic
        self._most = max_elements
        self._address = self._table.address
        self._carried = [0.0] * CARRIED

    def add(self, row: int, tensor: Tensor) -> int | None:
        """Measure a tensor where it lies, into a row.

        Returns:
            How many NaN and infinities the row holds now; None, and nothing is counted, for a
            tensor that is not of floating point, or has no elements of its own.
        """
        if type(tensor) not in _PLAIN and not is_measurable(tensor):
            return None
        kind = KINDS.get(tensor.dtype)
        if kind is None:
            return None
        if not tensor.is_cpu:
            tensor = tensor.detach().cpu()  # device to host: waits for the device
        if not tensor.is_contiguous():
            tensor = tensor.detach().contiguous()
        size = tensor.numel()
        if size >= 2 * PART and (threads := torch.get_num_threads()) > 1:
            return add_in_parts(
                kind, tensor.data_ptr(), size, row, self._table, self._most, threads
            )
        nonfinite: int = add_to_row(kind, tensor.data_ptr(), size, row, self._address, self._most)
        return nonfinite

    def add_all(self, tensors: Iterable[tuple[int, Tensor]]) -> None:
        """Measure many tensors, each into its row."""
        for row, tensor in tensors:
            self.add(row, tensor)

    def carry(self, slot: int, scalar: Tensor) -> None:
        """Add a scalar, such as the loss, to a slot of what the next reading brings along."""
        self._carried[slot] += float(scalar)  # device to host, where there is a device

    def absorb(self, row: int, other: Tally, other_row: int) -> None:
        """Add what a row of another tally holds to a row of this one; the other keeps it."""
        add_row(other._address, other_row, self._address, row)

    def absorb_carried(self, other: Tally) -> None:
        """Add what another tally carries to what this one does."""
        self._carried = [a + b for a, b in zip(self._carried, other._carried, strict=True)]

    @property
    def bins(self) -> Tensor:
        """See `Mergeable`."""
        return torch.from_numpy(self._table.counts)

    def figures(self, rows: int) -> Tensor:
        """See `Mergeable`."""
        out = np.empty((rows, FIGURES))
        out[:, :MOMENTS] = self._read(0, rows, reset=False).moments
        out[:, MOMENTS:] = self._table.tallies[:rows, [NEAR, FAR, LEFT_OUT]]
        return torch.from_numpy(out)

    def put(self, rows: int, figures: Tensor) -> None:
        """See `Mergeable`."""
        given, sums, tallies = figures.numpy(), self._table.sums[:rows], self._table.tallies[:rows]
        tallies[:, COUNT : OUTSIDE + 1] = given[:, : OUTSIDE + 1]
        tallies[:, [NEAR, FAR, LEFT_OUT]] = given[:, MOMENTS:]
        sums[:, [SHIFT, SQUARES, ABSOLUTE]] = given[:, 6:9]
        sums[:, SUM] = 0.0  # about the mean
        sums[:, MINIMUM] = np.nan_to_num(given[:, 9], nan=np.inf)
        sums[:, MAXIMUM] = np.nan_to_num(given[:, 10], nan=-np.inf)

    def add_up_carried(self, add_up: Callable[[Tensor], None]) -> None:
        """Replace what is carried by its sum over the ranks of a distributed training."""
        carried = torch.tensor(self._carried, dtype=torch.float64)
        add_up(carried)
        self._carried = carried.tolist()

    def histogram(self, row: int) -> Histogram:
        """What a row holds now; it keeps it."""
        moments = self._read(row, 1, reset=False).moments_of(0)
        counts = self._table.counts[row, :BINS]
        bins = np.flatnonzero(counts)
        left_out = int(self._table.tallies[row, LEFT_OUT])
        return Histogram(bins, counts[bins], moments, left_out)

    def read(self, rows: int) -> Reading:
        """What the first rows hold, as figures and buckets; leaves them empty."""
        reading = self._read(0, rows, reset=True)
        self._carried = [0.0] * CARRIED
        return reading

    def _read(self, first: int, rows: int, reset: bool) -> Figures:
        figures = Figures(
            np.empty((rows, MOMENTS)),
            np.empty((rows, BUCKETS, 3), np.float32),
            np.empty((rows, BUCKETS, 3), np.float32),
            tuple(self._carried),
        )
        read_rows(
            self._address,
            first,
            self._axes,
            self._logarithmic,
            figures.moments,
            figures.linear,
            figures.logarithmic,
            reset,
        )
        return figures
