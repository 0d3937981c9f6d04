"""What is timed over the same memory: ours, the limit, and what else counts values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numba import njit
from torch import Tensor
from torch.utils.tensorboard.summary import make_histogram

from layerscope.measure import Tally
from layerscope.measure.cpu.raw_memory import load_i64
from layerscope.measure.device_tally import DeviceTally
from layerscope.measure.plain.table import PlainTable
from layerscope.measure.row_options import RowOptions

Measure = Callable[[Tensor], object]

PLAIN_READ = "plain read"
"""The limit: every byte is read once, and next to nothing is done with it."""


@njit(nogil=True, cache=True)
def _xor(address, words):  # type: ignore[no-untyped-def]
    total = 0
    for i in range(words):
        total ^= load_i64(address, i)
    return total


def _needs(kind: torch.dtype, x: Tensor) -> Tensor:
    if x.dtype != kind:
        raise TypeError(f"takes {kind}, got {x.dtype}")
    return x


def _bincount(x: Tensor) -> Tensor:
    """Counts of float32's sign, exponent and seven mantissa bits: our bins, without the rest."""
    bits = _needs(torch.float32, x).view(torch.int32)
    return torch.bincount((bits >> 16) & 0xFFFF, minlength=65_536)


def _tensorboard_bins() -> list[float]:
    """The edges of `SummaryWriter.add_histogram`; the writer has them only together with a file."""
    positive = [1e-12]
    while positive[-1] < 1e20:
        positive.append(positive[-1] * 1.1)
    return [-edge for edge in positive[::-1]] + [0.0] + positive


def on_cpu() -> dict[str, Measure]:
    """By name; a function may refuse a kind of tensor by raising."""
    tally = Tally(RowOptions(1, intervals=[(-0.97, 0.97)]))
    reference = PlainTable(RowOptions(1), torch.device("cpu"))
    edges = np.array(_tensorboard_bins())

    def make(x: Tensor) -> object:
        values = _needs(torch.float32, x).numpy()
        return make_histogram(values, edges)  # type: ignore[no-untyped-call]

    return {
        PLAIN_READ: lambda x: _xor(x.data_ptr(), x.nbytes >> 3),
        "layerscope, numba": lambda x: tally.add(0, x),
        "layerscope, plain torch": lambda x: reference.add(0, x),
        "torch.histc, 30": lambda x: torch.histc(x, 30),
        "torch.bincount of bits": _bincount,
        "np.histogram, 30": lambda x: np.histogram(_needs(torch.float32, x).numpy(), 30),
        "make_histogram of add_histogram": make,
    }


def on_cuda() -> dict[str, Measure]:
    """The same on the GPU; a device copy is what its memory can do, read and write."""
    device = torch.device("cuda")
    tally = DeviceTally(device, RowOptions(1, [(-0.97, 0.97)]))
    reference = PlainTable(RowOptions(1), device)
    return {
        PLAIN_READ: lambda x: x.view(torch.int64).sum(),
        "device copy": torch.clone,
        "layerscope, Triton": lambda x: tally.add(0, x),
        "layerscope, plain torch": lambda x: reference.add(0, x),
        "torch.histc, 30": lambda x: torch.histc(x, 30),
        "torch.bincount of bits": _bincount,
    }
