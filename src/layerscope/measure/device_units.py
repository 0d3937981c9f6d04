"""A unit tally on the device where the tensors lie: only figures cross the bus, and none waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from layerscope.measure.device_table import compiled_if_possible
from layerscope.measure.device_tally import knows_float64
from layerscope.measure.pinned_ring import PinnedRing
from layerscope.measure.plain.units import ReferenceUnits
from layerscope.measure.reading import Figures
from layerscope.measure.tally import is_measurable
from layerscope.measure.unit_merge import combine, load_state, state_of
from layerscope.measure.unit_reading import COLUMNS, UnitReading
from layerscope.measure.unit_rows import UnitRows, in_order, units_and_inner
from layerscope.measure.units import UnitTally

if TYPE_CHECKING:
    from layerscope.measure.cuda.units import TritonUnits

_NO_BUCKETS = np.zeros((0, 0, 3), np.float32)


class DeviceUnitTally:
    """What `UnitTally` is, for tensors on one CUDA device or another accelerator.

    Everything runs on the device's current stream. On CUDA neither `add` nor `read` waits: figures
    are there when they are looked at, or waited for. On another accelerator `read` waits. A tensor
    of another device is copied over.

    Args:
        device: where the units' blocks are.
        rows: how many layers are watched side by side.
        active: see `UnitTally`.
        window: see `UnitTally`.

    Raises:
        ValueError: see `UnitTally`.
    """

    def __init__(
        self,
        device: torch.device,
        rows: int,
        active: Sequence[tuple[float, float]],
        window: int,
    ) -> None:
        self._device = torch.empty(0, device=device).device  # with its number, as tensors have it
        self._units = _units_on(self._device, UnitRows(rows, active, window))
        self._window = window
        self._report = torch.zeros((rows, COLUMNS), dtype=torch.float64, device=device)
        self._ring = PinnedRing(self._report) if device.type == "cuda" else None

    def add(self, row: int, tensor: Tensor, axis: int) -> bool:
        """Watch a layer's output where it lies; see `UnitTally.add`."""
        if not is_measurable(tensor) or tensor.ndim < 2:
            return False
        tensor = tensor.detach()
        if tensor.device != self._device:
            tensor = tensor.to(self._device, non_blocking=True)  # from another device, or the host
        if not tensor.is_contiguous():
            tensor, axis = in_order(tensor, axis)
        size = tensor.numel()
        if not size:
            return True
        units, inner = units_and_inner(tensor.shape, size, axis)
        if units != self._units.units[row]:
            self._units.start(row, units)
        self._units.add(row, tensor, units, inner)
        return True

    def read(self, step: int) -> UnitReading:
        """What all rows say of this step; leaves them empty but for how long units are silent."""
        self._units.report(step, self._window, self._report)
        if self._ring is None:
            figures = self._report.cpu().numpy().copy()  # device to host: waits
            return UnitReading(lambda: figures)
        with torch.cuda.device(self._device):
            pending = self._ring.send(self._report, _figures)
        return UnitReading(lambda: pending.moments)

    def combine(self, all_reduce: Callable[[Tensor, str], None]) -> None:
        """Make this step's measures those of all ranks: see `unit_merge`. Waits for the device."""
        combine(self._units, all_reduce)

    def state(self) -> dict[str, Any]:
        """How long units have been silent, for a checkpoint; waits for the device."""
        return state_of(self._units)

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state, of this class or of `UnitTally`; see there."""
        load_state(self._units, state)


def _figures(report: Tensor) -> Figures:
    """A report in what the ring carries: as its moments, without any buckets."""
    return Figures(report.numpy().copy(), _NO_BUCKETS, _NO_BUCKETS)


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


def _units_on(device: torch.device, rows: UnitRows) -> ReferenceUnits | TritonUnits:
    """The fastest units that a device has: Triton's on CUDA, else plain torch's."""

    def compiled() -> ReferenceUnits | TritonUnits:
        from layerscope.measure.cuda.units import TritonUnits  # a second to import

        units = TritonUnits(rows, device)
        units.compile()
        return units

    return compiled_if_possible(device, compiled, lambda: ReferenceUnits(rows, device))
