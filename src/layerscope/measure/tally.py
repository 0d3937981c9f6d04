"""Many tensors measured side by side, step after step, without allocating anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from layerscope.measure.bins import BINS
from layerscope.measure.histogram import Histogram
from layerscope.measure.kernel import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, add_to_row
from layerscope.measure.moments import Moments
from layerscope.measure.parallel import PART, add_in_parts
from layerscope.measure.rebin import BUCKETS, MOMENTS, read_rows
from layerscope.measure.table import HIGH, LOW, Table

_KINDS = {
    torch.float32: FLOAT32,
    torch.bfloat16: BFLOAT16,
    torch.float16: FLOAT16,
    torch.float64: FLOAT64,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What the first k rows of a tally held.

    Attributes:
        moments: float64 [k, 11], the fields of `Moments` in their order.
        linear: float32 [k, 30, 3], left, right and count of equal buckets between the extremes,
            or over the row's axis. All zero where nothing finite was measured.
        logarithmic: the same of log10 |x|, the zeros in the first bucket; unset if not asked for.
    """

    moments: npt.NDArray[np.float64]
    linear: npt.NDArray[np.float32]
    logarithmic: npt.NDArray[np.float32]

    def moments_of(self, position: int) -> Moments:
        """The figures of the row at a position."""
        figures = self.moments[position].tolist()
        return Moments(*(int(x) for x in figures[:6]), *figures[6:])


class Tally:
    """Counts and sums of many tensors, one row each; a row adds up until it is read.

    Args:
        rows: how many tensors are measured side by side.
        intervals: (low, high) per row: elements outside are counted (the saturated ones).
        axes: (left, right) per row: the least range that `linear` shows, for a bounded activation;
            None shows the measured range.
        logarithmic: per row, whether it is also shown as log10 |x|; none without it.

    Raises:
        ValueError: rows is negative, or another argument has another length.
    """

    def __init__(
        self,
        rows: int,
        intervals: Sequence[tuple[float, float]] | None = None,
        axes: Sequence[tuple[float, float] | None] | None = None,
        logarithmic: Sequence[bool] | None = None,
    ) -> None:
        lengths = {"intervals": intervals, "axes": axes, "logarithmic": logarithmic}
        for name, given in lengths.items():
            if given is not None and len(given) != rows:
                raise ValueError(f"{name} must have one entry per row, {rows}, got {len(given)}")
        self._table = Table(rows)
        if intervals is not None and rows:
            self._table.sums[:, LOW], self._table.sums[:, HIGH] = np.transpose(intervals)
        self._axes = np.full((rows, 2), np.nan)
        for row, axis in enumerate(axes or ()):
            if axis is not None:
                self._axes[row] = axis
        self._logarithmic = np.array(logarithmic or [False] * rows, np.bool_)
        self._address = self._table.address

    def add(self, row: int, tensor: torch.Tensor) -> bool:
        """Measure a tensor where it lies, into a row.

        Returns:
            False, and nothing is counted, for a tensor that is not of floating point.
        """
        kind = _KINDS.get(tensor.dtype)
        if kind is None:
            return False
        if not tensor.is_cpu:
            tensor = tensor.detach().cpu()  # device to host: waits for the device
        if not tensor.is_contiguous():
            tensor = tensor.detach().contiguous()
        size = tensor.numel()
        if size >= 2 * PART and (threads := torch.get_num_threads()) > 1:
            add_in_parts(kind, tensor.data_ptr(), size, row, self._table, threads)
        else:
            add_to_row(kind, tensor.data_ptr(), size, row, self._address)
        return True

    def histogram(self, row: int) -> Histogram:
        """What a row holds now; it keeps it."""
        moments = self._read(row, 1, reset=False).moments_of(0)
        counts = self._table.counts[row, :BINS]
        bins = np.flatnonzero(counts)
        return Histogram(bins, counts[bins], moments)

    def read(self, rows: int) -> Reading:
        """What the first rows hold, as figures and buckets; leaves them empty."""
        return self._read(0, rows, reset=True)

    def _read(self, first: int, rows: int, reset: bool) -> Reading:
        reading = Reading(
            np.empty((rows, MOMENTS)),
            np.empty((rows, BUCKETS, 3), np.float32),
            np.empty((rows, BUCKETS, 3), np.float32),
        )
        read_rows(
            self._address,
            first,
            self._axes,
            self._logarithmic,
            reading.moments,
            reading.linear,
            reading.logarithmic,
            reset,
        )
        return reading
