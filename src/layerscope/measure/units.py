"""The units of many layers watched side by side: which are dead, and whether samples differ."""

from collections.abc import Sequence
from operator import getitem

import numpy as np
import torch
from torch import Tensor

from layerscope.measure.cpu.kinds import KINDS
from layerscope.measure.cpu.team import PART
from layerscope.measure.cpu.unit_kernel import add_tensor
from layerscope.measure.cpu.unit_parallel import add_in_parts
from layerscope.measure.cpu.unit_read import read_units
from layerscope.measure.cpu.unit_table import UnitTable
from layerscope.measure.pending import Pending
from layerscope.measure.row_options import UnitOptions
from layerscope.measure.unit_layout import in_order, units_and_inner
from layerscope.measure.unit_reading import UNIT_COLUMNS, UnitReading

_READINGS = 16
"""Readings whose memory is taken at once."""


class UnitTally:
    """Extremes and activity of each unit of many layers, one row a layer, until they are read.

    A unit is one feature or channel of a layer's output; a sample is what the layer makes of one
    position: a row has numel / units of them per call. A row learns how many units it has from the
    first call; a call with another number starts it anew, with what is known of how long its units
    have been silent.

    Args:
        rows: how many layers are watched side by side.
        active: (low, high) per row: a unit is active on a sample if its output lies strictly
            between, both taken as float32 unless the tensor is float64; a NaN or an infinity never
            does. (-inf, inf): the row's units are never silent.
        window: samples in a row on which a unit was not active before it counts as dead.

    Attributes:
        blocks: what is known of the units: see `unit_merge` and `unit_parts`.
        address: of the blocks, for `Tally.measure`.

    Raises:
        ValueError: rows is negative, active has another length or an interval that holds no
            number, or window is below 1.
    """

    def __init__(self, rows: int, active: Sequence[tuple[float, float]], window: int) -> None:
        self.blocks = UnitTable(UnitOptions(rows, active, window))
        self._window = window
        self._left = 0  # readings for which there is memory
        self.address = self.blocks.address

    def add(self, row: int, tensor: Tensor, axis: int) -> bool:
        """Watch a layer's output where it lies; calls until the next reading merge.

        Args:
            tensor: of any floating-point kind and any layout; it is not changed.
            axis: of the units: -1 for features, [..., units]; 1 for channels, [batch, units, ...].

        Returns:
            False, and nothing is counted, for a tensor that is not of floating point or has fewer
            than 2 axes.

        Raises:
            ValueError: axis is neither -1 nor 1.
        """
        kind = KINDS.get(tensor.dtype)
        if kind is None or tensor.ndim < 2:
            return False
        if not tensor.is_cpu:
            tensor = tensor.detach().cpu()  # device to host: waits for the device
        tensor, units, inner = self.prepare(row, tensor, axis)
        size = tensor.numel()
        if not size:
            return True
        address = tensor.data_ptr()
        if size >= 2 * PART and (threads := torch.get_num_threads()) > 1:
            add_in_parts(kind, address, size, units, inner, row, self.address, threads)
        else:
            add_tensor(kind, address, size, units, inner, row, self.address)
        return True

    def prepare(self, row: int, tensor: Tensor, axis: int) -> tuple[Tensor, int, int]:
        """Make a row ready for a tensor of so many units.

        Args:
            tensor: of 2 axes or more, on the CPU.

        Returns:
            The tensor as contiguous memory, how many units it has, and how many neighbours belong
            to one.
        """
        if not tensor.is_contiguous():
            tensor, axis = in_order(tensor.detach(), axis)
        if axis == -1:  # by far the most common
            units, inner = tensor.shape[-1], 1
        else:
            units, inner = units_and_inner(tensor.shape, tensor.numel(), axis)
        if units != self.blocks.units[row] and tensor.numel():
            self.blocks.start(row, units)
        return tensor, units, inner

    def read(self, step: int) -> Pending[UnitReading]:
        """What all rows say of this step; leaves them empty but for how long units are silent."""
        rows = len(self.blocks.units)
        if not self._left:
            self._left = _READINGS
            self._values = np.empty((_READINGS, rows, UNIT_COLUMNS))
            self._end = self._values.ctypes.data + self._values.nbytes
        left, values = self._left, self._values
        self._left -= 1
        size = 8 * rows * UNIT_COLUMNS
        read_units(self.address, rows, self._window, step, self._end - left * size)
        return Pending(getitem, values, -left)
