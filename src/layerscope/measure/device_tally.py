"""A tally on the device where the tensors lie: nothing waits, only transfer rows cross the bus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import Tensor

from layerscope.measure.capability import compiled_if_possible, knows_float64
from layerscope.measure.measurable import is_measurable
from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import PinnedRing
from layerscope.measure.plain.table import PlainTable
from layerscope.measure.reading import CARRIED, Reading
from layerscope.measure.row_options import RowOptions
from layerscope.measure.row_state import merged_state
from layerscope.measure.tally import Tally
from layerscope.measure.transfer_row import TRANSFERRED, reading_of


class DeviceTable(Protocol):
    """Rows on a device; its methods only enqueue."""

    counts: Tensor

    def add(self, row: int, tensor: Tensor) -> None:
        """Measure a floating-point tensor on the device into a row."""

    def add_all(self, tensors: Iterable[tuple[int, Tensor]]) -> None:
        """Measure many, each into a row of its own."""

    def read(self, rows: int, reset: bool, out: Tensor) -> None:
        """Write what the first rows hold into out[:rows], float64 [rows, TRANSFERRED]."""

    def state(self, rows: int) -> Tensor:
        """See `Mergeable`."""

    def load_state(self, state: Tensor) -> None:
        """See `Mergeable`."""


def table_on(device: torch.device, options: RowOptions) -> DeviceTable:
    """The fastest table that a device has: Triton's on CUDA, else plain torch's."""

    def compiled() -> DeviceTable:
        from layerscope.measure.cuda.table import TritonTable  # a second to import

        table = TritonTable(options, device)
        table.compile()
        return table

    return compiled_if_possible(device, compiled, lambda: PlainTable(options, device))


class DeviceTally:
    """What `Tally` is, for tensors on one CUDA device or another accelerator.

    Everything runs on the device's current stream, which is where a network's tensors are made. On
    CUDA nothing waits: `read` returns at once, and the reading is there when it is looked at, or
    waited for. On another accelerator `read` waits. A tensor of another device is copied over.

    Args:
        device: where the rows are.
        options: see `Tally`.

    Attributes:
        device: as given, with its number.
    """

    def __init__(self, device: torch.device, options: RowOptions) -> None:
        self.device = torch.empty(0, device=device).device  # with its number, as tensors have it
        self.rows = rows = options.rows
        self._table = table_on(self.device, options)
        # The transfer rows, and in a row of its own what is carried along: one copy takes both.
        self._parcel = torch.zeros((rows + 1, TRANSFERRED), dtype=torch.float64, device=device)
        self._carries = False
        self._table.read(rows, reset=True, out=self._parcel)
        self._empty = self._parcel[:rows].clone()
        self._lost: set[int] = set()
        self._ring = PinnedRing(self._parcel) if device.type == "cuda" else None

    def add(self, row: int, tensor: Tensor) -> int | None:
        """Measure a tensor where it lies, into a row; see `Tally.add`.

        Returns:
            0: how many NaN and infinities there are, the device alone knows as yet; None, and
            nothing is counted, for a tensor that is not of floating point.
        """
        if not is_measurable(tensor):
            return None
        self._table.add(row, self._here(tensor))
        return 0

    def add_all(self, tensors: Iterable[tuple[int, Tensor]], whole: bool = False) -> None:
        """Measure many tensors in few launches, as `add` would one by one.

        Args:
            tensors: (row, tensor).
            whole: of no meaning here; see `Tally.add_all`.
        """
        self._table.add_all(
            (r, self._here(tensor)) for r, tensor in tensors if is_measurable(tensor)
        )

    def lose(self, row: int) -> None:
        """Make the next reading hold nothing of a row, whatever else comes to it."""
        self._lost.add(row)

    def carry(self, slot: int, scalar: Tensor) -> None:
        """Add a scalar, such as the loss, to a slot of what the next reading brings along."""
        self._parcel[-1, slot].add_(self._here(scalar.detach()))
        self._carries = True

    def merge_row(self, row: int, other: DeviceTally, other_row: int) -> None:
        """Merge what a row of another tally holds into a row of this one; the other keeps it."""
        state = self.state(row + 1)
        state[row:] = merged_state(state[row:], other.state(other_row + 1)[other_row:])
        self.bins[row] += other.bins[other_row]
        self._table.load_state(state)

    def merge_carried(self, other: DeviceTally) -> None:
        """Add what another tally carries to what this one does."""
        self._parcel[-1] += other._parcel[-1]
        self._carries = True

    @property
    def bins(self) -> Tensor:
        """See `Mergeable`."""
        return self._table.counts

    def state(self, rows: int) -> Tensor:
        """See `Mergeable`."""
        return self._table.state(rows)

    def load_state(self, state: Tensor) -> None:
        """See `Mergeable`."""
        self._table.load_state(state)

    def merge_carried_of_ranks(self, add_up: Callable[[Tensor], None]) -> None:
        """Replace what is carried by its sum over the ranks of a distributed training."""
        carried = self._parcel[-1].clone()
        add_up(carried)
        self._parcel[-1] = carried
        self._carries = True

    def read(self, rows: int) -> Pending[Reading]:
        """What the first rows hold, as moments and buckets; leaves them empty."""
        self._table.read(rows, reset=True, out=self._parcel)
        for row in self._lost:
            self._parcel[row] = self._empty[row]
        self._lost.clear()

        def decode(parcel: Tensor) -> Reading:
            return reading_of(parcel[:rows].numpy(), tuple(parcel[-1, :CARRIED].tolist()))

        if self._ring is None:
            reading = Pending.at_hand(decode(self._parcel.cpu()))  # device to host: waits
        else:
            with torch.cuda.device(self.device):
                reading = self._ring.send(self._parcel, decode)
        if self._carries:
            self._parcel[-1].zero_()
            self._carries = False
        return reading

    def _here(self, tensor: Tensor) -> Tensor:
        tensor = tensor.detach()
        if tensor.device == self.device:
            return tensor
        return tensor.to(self.device, non_blocking=True)  # from another device, or the host


def tally_for(device: torch.device, options: RowOptions) -> Tally | DeviceTally:
    """The tally for a device.

    A device that knows no float64 (MPS, some XPUs) has the CPU's: the promised exactness needs it.
    There each tensor is copied to the host, which waits for the device.
    """
    if device.type == "cpu" or not knows_float64(device):
        return Tally(options)
    return DeviceTally(device, options)
