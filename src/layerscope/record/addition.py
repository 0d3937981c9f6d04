"""What is measured where a branch is added to a residual stream."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host

_CHANNELS_SECOND = 4  # axes from which on the second is that of channels
_FAR = 10.0  # times the root mean square, from which on an element is an outlier


FIGURES = ("stream_rms", "branch_to_stream", "outlier_share", "outlier_channel")


@dataclass(frozen=True, slots=True, eq=False)
class Addition:
    """What was measured where a branch is added, in a step's last forward pass.

    Args:
        pending: float64 [additions, 4], `FIGURES` of all of the step; they may have to be waited
            for.
    """

    pending: Pending[npt.NDArray[np.float64]]
    row: int

    def figures(self) -> dict[str, float]:
        """By names of `LAYER_FIGURES`.

        `stream_rms` is the root mean square of the stream after it; `branch_to_stream` that of the
        branch / that of the stream before, NaN of a stream of 0; `outlier_share` the share of the
        stream's elements, after it, that are above 10 times its RMS; `outlier_channel` the channel
        that has most of them, along the last axis, of four axes or more along the second, NaN if
        none has one.
        """
        return dict(zip(FIGURES, self.pending.get()[self.row].tolist(), strict=True))

    def as_json(self) -> dict[str, float | None]:
        """The same with None for what is not known."""
        return {name: x if math.isfinite(x) else None for name, x in self.figures().items()}


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What is summed on the device where a branch is added; figures are made of it on the host.

    Args:
        norms: of the stream before, of the branch, and of the stream after it, each [].
        far: int64 [channels], elements above 10 times the RMS of the stream after it; None where
            there are none.
        size: elements of each.
    """

    norms: tuple[Tensor, Tensor, Tensor]
    far: Tensor | None
    size: int


def sums_of(before: Tensor, branch: Tensor, values: Tensor) -> Sums:
    """`Sums` of an addition.

    Args:
        before: `norm` of the stream.
        branch: that of the branch.
        values: the stream after it.
    """
    after, size = norm(values), values.numel()
    limit = after * (_FAR / max(size, 1) ** 0.5)
    far = None
    if not values.is_cpu or _largest(values) > limit:  # of a device it would be a wait
        channels = values.ndim - 1 if values.ndim < _CHANNELS_SECOND else 1
        others = [axis for axis in range(values.ndim) if axis != channels]
        far = (values.abs() > limit).sum(others)
    return Sums((before, branch, after), far, size)


def sent(sums: Sequence[Sums]) -> Pending[npt.NDArray[np.float64]]:
    """`FIGURES` of each, float64 [additions, 4], on their way to the host in one piece."""
    norms = torch.stack([each for sums_ in sums for each in sums_.norms]).double()
    counts = [each.far for each in sums if each.far is not None]
    sizes = [(each.size, 0 if each.far is None else len(each.far)) for each in sums]
    return on_host(torch.cat([norms, *counts])).then(functools.partial(_figures, sizes))


def _figures(sizes: list[tuple[int, int]], host: Tensor) -> npt.NDArray[np.float64]:
    arrived = host.numpy()
    norms, counts = arrived[: 3 * len(sizes)].reshape(-1, 3), arrived[3 * len(sizes) :]
    figures: Any = np.empty((len(sizes), len(FIGURES)))
    with np.errstate(all="ignore"):
        figures[:, 0] = norms[:, 2] / np.sqrt([size for size, _ in sizes])
        figures[:, 1] = norms[:, 1] / norms[:, 0]
    for row, (size, channels) in enumerate(sizes):
        of_channels, counts = counts[:channels], counts[channels:]
        some = of_channels.any()
        figures[row, 2:] = of_channels.sum() / size, of_channels.argmax() if some else math.nan
    return figures


def _largest(values: Tensor) -> Tensor:
    """The largest magnitude; NaN if any is. (The norm of that order takes 23 times as long.)"""
    least, most = torch.aminmax(values)
    return torch.maximum(-least, most)


def norm(tensor: Tensor) -> Tensor:
    """The square root of the sum of squares, in 32 bits or more, [] on the tensor's device."""
    wide = torch.promote_types(tensor.dtype, torch.float32)
    return torch.linalg.vector_norm(tensor.detach(), dtype=wide)
