"""The tensors of a step on a device, held where they lie until one launch measures many of them.

A launch takes the host some thirty microseconds, and counts faster where it has much to count. So
what a step brings is only noted, and measured when it has come to some megabytes, or the step ends.
"""

import itertools
from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from layerscope.measure.changed_in_place import (
    COPIED,
    REFERRED,
    Entry,
    Given,
    Unusual,
    rows_changed,
)
from layerscope.measure.device_tally import DeviceTally
from layerscope.measure.device_units import DeviceUnitTally

SHARE_OF_MEMORY = 256
"""What is held has at most this part of the device's memory, some 300 MB of 80 GB."""

_WITHOUT_CUDA = 1 << 26
"""Bytes that are held at most on another device."""

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class HeldOnDevice:
    """Tensors of one device that are measured together; see `HeldTensors`.

    Nothing is measured twice, and what has been measured is let go at once. Kernels of other
    libraries may write into a tensor without telling torch, as some losses write the gradient over
    the logits: the tensors of the first step are therefore compared with their copies, which waits
    for the device, and a row of which one differs is copied from then on.

    Attributes:
        looks_for_causes: see `HeldTensors`: whether a tensor is finite, the device alone knows.
    """

    looks_for_causes = False

    __slots__ = (
        "_bytes", "_device", "_entries", "_how", "_is_cuda", "_lost", "_most", "_raw_stream",
        "_stream", "_tally", "_units", "largest",
    )  # fmt: skip

    def __init__(self, tally: DeviceTally, units: DeviceUnitTally) -> None:
        self._tally = tally
        self._units = units
        self._device = tally.device
        self._how = bytearray(tally.rows)
        self._entries: list[Entry] = []
        self._bytes = 0
        self._lost: list[int] = []
        self._stream: torch.cuda.Stream | None = None
        self._most = _WITHOUT_CUDA
        self._raw_stream = 0
        self._is_cuda = self._device.type == "cuda"
        if self._is_cuda:
            memory = torch.cuda.get_device_properties(self._device).total_memory
            self._most = int(memory) // SHARE_OF_MEMORY
        self.largest = self._most // 2

    def hold(
        self,
        row: int,
        tensor: Tensor,
        unit_row: int = -1,
        axis: int = -1,
        given: Given | None = None,
    ) -> bool:
        """Note a tensor: 2 us; see `HeldTensors.hold`."""
        size = tensor.nbytes
        if size > self.largest or tensor.device != self._device:
            return False
        if self._is_cuda and torch._C._cuda_isCurrentStreamCapturing():
            return False
        if self._bytes + size > self._most or not self._is_on_its_stream():
            self._measure(())
        try:
            version = tensor._version
        except RuntimeError:  # of inference mode
            return False
        measured = own = tensor.detach() if tensor.requires_grad else tensor
        how = self._how[row]
        if how != REFERRED:
            measured = own.clone()
            if how == COPIED:
                own, version = measured, 0
        if self._stream is None and self._is_cuda:
            self._stream = torch.cuda.current_stream(self._device)
            self._raw_stream = self._stream.cuda_stream
        self._bytes += size
        self._entries.append((row, measured, own, version, own.data_ptr(), unit_row, axis, None))
        return True

    @property
    def is_measured(self) -> bool:
        """Whether all that is held has been measured."""
        return not self._entries

    def measure(self, whole: bool, also: Sequence[tuple[int, Tensor]] = ()) -> Unusual:
        """Measure what has been held since the last time, and let it go.

        Args:
            whole: of no meaning here; see `Tally.add_all`.
            also: (row, tensor) of further tensors, such as the gradients of weights.

        Returns:
            What was lost since the last time.
        """
        self._measure(also)
        lost, self._lost = self._lost, []
        return Unusual(lost)

    def put_into_bins(self) -> None:
        """Nothing is to do: all is in bins that can be merged."""

    def release(self) -> None:
        """Let go of all; what was not measured will not be."""
        self._entries.clear()
        self._bytes = 0
        self._stream = None

    def _measure(self, also: Sequence[tuple[int, Tensor]]) -> None:
        entries = list(self._entries)
        is_elsewhere = not self._is_on_its_stream()
        with torch.cuda.stream(self._stream) if is_elsewhere else nullcontext():
            lost = rows_changed(entries, self._how)
            self._compare(entries)
            if lost:
                entries = [entry for entry in entries if entry[0] not in lost]
            measured = ((entry[0], entry[1]) for entry in entries)
            self._tally.add_all(measured if is_elsewhere else itertools.chain(measured, also))
            self._units.add_all(
                (unit_row, tensor, axis)
                for _, tensor, _, _, _, unit_row, axis, _ in entries
                if unit_row >= 0
            )
        if is_elsewhere:
            assert self._stream is not None
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
            self._tally.add_all(also)
        for row in lost:
            self._tally.lose(row)
        self._lost += lost
        self.release()

    def _compare(self, entries: Sequence[Entry]) -> None:
        """Copy from now on the rows whose tensors differ from their copies."""
        copied = [entry for entry in entries if entry[1] is not entry[2]]
        if not copied:
            return
        differ = [(_bits_of(measured) != _bits_of(own)).any() for _, measured, own, *_ in copied]
        for (row, *_), differs in zip(copied, torch.stack(differ).tolist(), strict=True):  # waits
            if differs:
                self._how[row] = COPIED

    def _is_on_its_stream(self) -> bool:
        return self._stream is None or (
            self._raw_stream == torch._C._cuda_getCurrentRawStream(self._device.index)
        )


def _bits_of(tensor: Tensor) -> Tensor:
    return tensor.view(_BITS[tensor.element_size()])
