"""A unit tally on the device where the tensors lie: only readings cross the bus, and none waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from layerscope.measure.capability import compiled_if_possible, knows_float64
from layerscope.measure.measurable import is_measurable
from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import PinnedRing
from layerscope.measure.plain.units import PlainUnits
from layerscope.measure.row_options import UnitOptions
from layerscope.measure.unit_layout import in_order, units_and_inner
from layerscope.measure.unit_reading import UNIT_COLUMNS, UnitReading
from layerscope.measure.units import UnitTally

if TYPE_CHECKING:
    from layerscope.measure.cuda.units import TritonUnits


class DeviceUnitTally:
    """What `UnitTally` is, for tensors on one CUDA device or another accelerator.

    Everything runs on the device's current stream. On CUDA neither `add` nor `read` waits: a
    reading is there when it is looked at, or waited for. On another accelerator `read` waits. A
    tensor of another device is copied over.

    Args:
        device: where the units' blocks are.
        active, window: see `UnitTally`.

    Attributes:
        blocks: see `UnitTally`.

    Raises:
        ValueError: see `UnitTally`.
    """

    def __init__(
        self, device: torch.device, rows: int, active: Sequence[tuple[float, float]], window: int
    ) -> None:
        self._device = torch.empty(0, device=device).device  # with its number, as tensors have it
        self.blocks = _blocks_on(self._device, UnitOptions(rows, active, window))
        self._window = window
        self._read = torch.zeros((rows, UNIT_COLUMNS), dtype=torch.float64, device=device)
        self._ring = PinnedRing(self._read) if device.type == "cuda" else None

    def add(self, row: int, tensor: Tensor, axis: int) -> bool:
        """Watch a layer's output where it lies; see `UnitTally.add`."""
        if not is_measurable(tensor) or tensor.ndim < 2:
            return False
        self.add_all([(row, tensor, axis)])
        return True

    def add_all(self, outputs: Iterable[tuple[int, Tensor, int]]) -> None:
        """Watch many in few launches, as `add` would one by one.

        Args:
            outputs: (row, tensor, axis) of floating-point tensors of 2 axes or more.
        """
        prepared: list[tuple[int, Tensor, int, int]] = []
        for row, tensor, axis in outputs:
            tensor = tensor.detach()
            if tensor.device != self._device:
                tensor = tensor.to(self._device, non_blocking=True)  # from elsewhere, or the host
            if not tensor.is_contiguous():
                tensor, axis = in_order(tensor, axis)
            if not (size := tensor.numel()):
                continue
            units, inner = units_and_inner(tensor.shape, size, axis)
            if units != self.blocks.units[row]:
                self.blocks.add_all(prepared)  # what came to the row before
                prepared = []
                self.blocks.start(row, units)
            prepared.append((row, tensor, units, inner))
        self.blocks.add_all(prepared)

    def read(self, step: int) -> Pending[UnitReading]:
        """What all rows say of this step; leaves them empty but for how long units are silent."""
        self.blocks.read(step, self._window, self._read)
        if self._ring is None:
            return Pending.at_hand(_reading(self._read.cpu()))  # device to host: waits
        with torch.cuda.device(self._device):
            return self._ring.send(self._read, _reading)


def _reading(read: Tensor) -> UnitReading:
    return read.numpy().copy()


def units_for(
    device: torch.device, rows: int, active: Sequence[tuple[float, float]], window: int
) -> UnitTally | DeviceUnitTally:
    """The unit tally for a device; the arguments are those of `UnitTally`.

    A device that knows no float64 has the CPU's, as `tally_for`'s: each tensor is copied to the
    host, which waits for the device.
    """
    if device.type == "cpu" or not knows_float64(device):
        return UnitTally(rows, active, window)
    return DeviceUnitTally(device, rows, active, window)


def _blocks_on(device: torch.device, options: UnitOptions) -> PlainUnits | TritonUnits:
    """The fastest units that a device has: Triton's on CUDA, else plain torch's."""

    def compiled() -> PlainUnits | TritonUnits:
        from layerscope.measure.cuda.units import TritonUnits  # a second to import

        units = TritonUnits(options, device)
        units.compile()
        return units

    return compiled_if_possible(device, compiled, lambda: PlainUnits(options, device))
