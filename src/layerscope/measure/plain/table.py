"""The kernels in plain torch: the same counts, bit for bit, on every device with float64.

It is what the kernels are compared with in tests, and what measures on a device that has no kernel
of its own. It takes some thirty launches and eight bytes per element for each step of the way;
nothing in it waits for the device (no item(), no boolean index, no bincount) or raises under
`torch.use_deterministic_algorithms(True)`: integer `scatter_add_` then takes torch's sorted route
(ATen, TensorAdvancedIndexing.cpp, `_scatter_via_index_put`), and reductions are deterministic.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from layerscope.measure.bins import BINS, ZERO
from layerscope.measure.log_axis import LOG2_PARTS
from layerscope.measure.moments import MOMENTS
from layerscope.measure.plain.bins import magnitude_of
from layerscope.measure.plain.transfer_rows import Shown, transfer_rows_of
from layerscope.measure.row_layout import FIELDS, Sums, Tallies
from layerscope.measure.row_options import RowOptions
from layerscope.measure.row_state import put_back, state_of


class PlainTable:
    """Rows of counts, sums and tallies on a device, as `Table` has them on the CPU.

    Args:
        device: where tensors are measured; it must know float64.

    Attributes:
        counts: int64 [rows, BINS].
        sums: float64 [rows, FIELDS].
        tallies: int64 [rows, FIELDS].
    """

    def __init__(self, options: RowOptions, device: torch.device) -> None:
        self.counts = torch.zeros((options.rows, BINS), dtype=torch.int64, device=device)
        self.sums = torch.zeros((options.rows, FIELDS), dtype=torch.float64, device=device)
        self.tallies = torch.zeros((options.rows, FIELDS), dtype=torch.int64, device=device)
        self._axes = torch.from_numpy(options.axes).to(device)
        self._logarithmic = torch.from_numpy(options.logarithmic).to(device)
        self._parts = torch.from_numpy(LOG2_PARTS).to(device)
        self.sums[:, Sums.LOW : Sums.HIGH + 1] = torch.from_numpy(options.intervals).to(device)
        self._reset(options.rows)

    def add(self, row: int, tensor: Tensor) -> None:
        """Measure a floating-point tensor on the table's device into a row."""
        if not tensor.numel():
            return
        values = tensor.detach().reshape(-1).double()
        sums, tallies = self.sums[row], self.tallies[row]
        low, high = sums[Sums.LOW], sums[Sums.HIGH]
        if tensor.dtype != torch.float64:  # compared as float32, as the kernels do
            low, high = low.float().double(), high.float().double()
        finite = values.isfinite()
        present = finite & (values != 0)
        magnitude = magnitude_of(values)
        signed = torch.where(present, torch.where(values > 0, magnitude, -magnitude), 0)
        self.counts[row].scatter_add_(0, ZERO + signed, finite.long())

        first = values.index_select(0, finite.to(torch.uint8).argmax().view(1))[0]
        first = torch.where(finite.any(), first, 0.0)
        sums[Sums.SHIFT] = torch.where(tallies[Tallies.COUNT] == 0, first, sums[Sums.SHIFT])
        shifted = torch.where(finite, values - sums[Sums.SHIFT], 0.0)
        sums[Sums.SUM] += shifted.sum()
        sums[Sums.SQUARES] += shifted.square().sum()
        sums[Sums.ABSOLUTE] += torch.where(finite, values.abs(), 0.0).sum()
        sums[Sums.MINIMUM] = torch.minimum(
            sums[Sums.MINIMUM], torch.where(finite, values, torch.inf).min()
        )
        sums[Sums.MAXIMUM] = torch.maximum(
            sums[Sums.MAXIMUM], torch.where(finite, values, -torch.inf).max()
        )

        tallies[Tallies.COUNT] += values.numel()
        tallies[Tallies.ZEROS] += (values == 0).sum()
        tallies[Tallies.NAN] += values.isnan().sum()
        tallies[Tallies.POSITIVE_INF] += values.isposinf().sum()
        tallies[Tallies.NEGATIVE_INF] += values.isneginf().sum()
        tallies[Tallies.OUTSIDE] += ((values < low) | (values > high)).sum()
        tallies[Tallies.NEAR] = torch.minimum(
            tallies[Tallies.NEAR], torch.where(present, magnitude, BINS).min()
        )
        tallies[Tallies.FAR] = torch.maximum(
            tallies[Tallies.FAR], torch.where(present, magnitude, 0).max()
        )

    def add_all(self, tensors: Iterable[tuple[int, Tensor]]) -> None:
        """Measure many tensors, each into its row."""
        for row, tensor in tensors:
            self.add(row, tensor)

    def read(self, rows: int, reset: bool, out: Tensor) -> None:
        """Write what the first rows hold into out[:rows], float64 [rows, TRANSFERRED]."""
        out[:rows] = self._transfer_rows(rows)
        if reset:
            self._reset(rows)

    def state(self, rows: int) -> Tensor:
        """See `Mergeable`."""
        return state_of(self._transfer_rows(rows)[:, :MOMENTS], self.tallies)

    def load_state(self, state: Tensor) -> None:
        """See `Mergeable`."""
        put_back(state, self.sums, self.tallies)

    def _transfer_rows(self, rows: int) -> Tensor:
        shown = Shown(self._axes[:rows], self._logarithmic[:rows], self._parts)
        return transfer_rows_of(self.counts[:rows], self.sums[:rows], self.tallies[:rows], shown)

    def _reset(self, rows: int) -> None:
        self.counts[:rows] = 0
        self.tallies[:rows] = 0
        self.tallies[:rows, Tallies.NEAR] = BINS
        self.sums[:rows, Sums.SHIFT : Sums.ABSOLUTE + 1] = 0.0
        self.sums[:rows, Sums.MINIMUM] = torch.inf
        self.sums[:rows, Sums.MAXIMUM] = -torch.inf
