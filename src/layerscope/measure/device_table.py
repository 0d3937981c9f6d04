"""Which table a device has."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from layerscope.measure.plain.table import ReferenceTable
from layerscope.measure.rows import Rows

T = TypeVar("T")


class DeviceTable(Protocol):
    """Rows on a device; its methods only enqueue."""

    counts: Tensor

    def add(self, row: int, tensor: Tensor) -> None:
        """Measure a floating-point tensor on the device into a row."""

    def add_all(self, tensors: Iterable[tuple[int, Tensor]]) -> None:
        """Measure many, each into a row of its own."""

    def report(self, rows: int, reset: bool, out: Tensor) -> None:
        """Write what the first rows hold into out[:rows], float64 [rows, report.COLUMNS]."""

    def figures(self, rows: int) -> Tensor:
        """The first rows' figures, float64 [rows, merged_figures.FIGURES]."""

    def put(self, rows: int, figures: Tensor) -> None:
        """Set the first rows' figures; the counts stay."""


def table_on(device: torch.device, rows: Rows) -> DeviceTable:
    """The fastest table that a device has: Triton's on CUDA, else plain torch's."""

    def compiled() -> DeviceTable:
        from layerscope.measure.cuda.table import TritonTable  # a second to import

        table = TritonTable(rows, device)
        table.compile()
        return table

    return compiled_if_possible(device, compiled, lambda: ReferenceTable(rows, device))


def compiled_if_possible(
    device: torch.device, compiled: Callable[[], T], reference: Callable[[], T]
) -> T:
    """What Triton has compiled for a CUDA device, else what does the same in plain torch.

    Args:
        device: where it measures.
        compiled: makes it with Triton; may raise anything.
        reference: makes it without.
    """
    if device.type != "cuda" or importlib.util.find_spec("triton") is None:
        return reference()
    try:
        return compiled()
    except Exception as error:  # no C compiler, an old GPU: slower figures are better than none
        warnings.warn(
            f"Triton cannot compile for {torch.cuda.get_device_name(device)} "
            f"({type(error).__name__}: {error}); measuring with plain torch, which is slower",
            stacklevel=3,
        )
        return reference()
