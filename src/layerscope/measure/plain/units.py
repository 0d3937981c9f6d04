"""The unit kernels in plain torch: the same figures on every device with float64.

It is what the kernels are compared with in tests, and what measures on a device that has no kernel
of its own. Nothing in it waits for the device.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from layerscope.measure.row_layout import UNBOUNDED
from layerscope.measure.row_options import UnitOptions
from layerscope.measure.unit_blocks import MAXIMUM, MINIMUM, UnitBlocks
from layerscope.measure.unit_reading import QUIET_SAMPLES, UnitColumn

_NEVER = 1 << 62


class PlainUnits(UnitBlocks):
    """Blocks on a device, with what fills and reads them.

    Args:
        device: where tensors are measured; it must know float64.
    """

    def __init__(self, options: UnitOptions, device: torch.device) -> None:
        super().__init__(options.rows, device)
        self._wide = torch.from_numpy(options.active).to(device)
        self._narrow = self._wide.float().double()
        self._immortal = [tuple(active) == UNBOUNDED for active in options.active.tolist()]

    def add(self, row: int, tensor: Tensor, units: int, inner: int) -> None:
        """Merge a contiguous tensor, [outer, units, inner], into a row that has been started."""
        values = tensor.reshape(-1, units, inner).double()
        low, high = (self._wide if tensor.dtype == torch.float64 else self._narrow)[row]
        finite = values.isfinite()
        active = (finite & (values > low) & (values < high)).any(2).any(0)
        least = torch.where(finite, values, torch.inf).amin((0, 2))
        most = torch.where(finite, values, -torch.inf).amax((0, 2))
        extremes = self.extremes(row)
        extremes[MINIMUM] = torch.minimum(extremes[MINIMUM], least)
        extremes[MAXIMUM] = torch.maximum(extremes[MAXIMUM], most)
        self.counters(row)[0] |= active.long()
        self.samples[row] += values.shape[0] * inner

    def add_all(self, tensors: Iterable[tuple[int, Tensor, int, int]]) -> None:
        """Merge many, each into its row."""
        for each in tensors:
            self.add(*each)

    def read(self, step: int, window: int, out: Tensor) -> None:
        """Fill out, the `UnitReading` of all rows; empty what belongs to the step."""
        for row in range(len(self.units)):
            self._read_row(row, step, window, out[row])
        self.samples.zero_()

    def _read_row(self, row: int, step: int, window: int, out: Tensor) -> None:
        out.fill_(math.nan)
        out[UnitColumn.UNITS] = 0.0
        if not self.units[row]:
            return
        (least, most), (flags, silence, since) = self.extremes(row), self.counters(row)
        samples = self.samples[row]
        active = (flags > 0) | self._immortal[row]
        began = torch.where(silence == 0, step, since)
        silent = torch.where(active, 0, silence + samples)
        dead = silent >= window
        longest = torch.where(dead, began, _NEVER).amin().double()
        widest, largest = (most - least).amax(), torch.maximum(-least, most).amax()
        spread = torch.where(largest > 0, widest / largest, 0.0)
        values = {
            UnitColumn.UNITS: torch.full_like(longest, self.units[row]),
            UnitColumn.SILENT: (~active).sum(),
            UnitColumn.DEAD: dead.sum(),
            UnitColumn.SINCE: torch.where(dead.any(), longest, torch.nan),
            UnitColumn.QUIET: (silent >= QUIET_SAMPLES).sum(),
            UnitColumn.SPREAD: torch.where((samples > 1) & (widest >= 0), spread, torch.nan),
        }
        read = torch.stack([values[column].double() for column in UnitColumn])
        out.copy_(torch.where(samples > 0, read, out))
        silence.copy_(silent)  # as it was, if there were no samples
        since.copy_(began)
        flags.zero_()
        least.fill_(math.inf)
        most.fill_(-math.inf)
