"""What is measured where a branch is added to a residual stream."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from layerscope.measure.pending import Pending

_CHANNELS_SECOND = 4  # axes from which on the second is that of channels
_FAR = 10.0  # times the root mean square, from which on an element is an outlier


FIGURES = ("stream_rms", "branch_to_stream", "outlier_share", "outlier_channel")


@dataclass(frozen=True, slots=True, eq=False)
class Addition:
    """What was measured where a branch is added, in a step's last forward pass.

    Args:
        pending: [additions, 4], `FIGURES` of all of the step; they may have to be waited for.
        row: of this one.
    """

    pending: Pending[Tensor]
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


def figures_of(before: Tensor, branch: Tensor, values: Tensor) -> Tensor:
    """`FIGURES` of an addition, float64 [4] on the device.

    Args:
        before: root mean square of the stream, [].
        branch: that of the branch, [].
        values: the stream after it.
    """
    after = rms(values)
    if values.is_cpu and not _largest(values) > _FAR * after:  # of a device it would be a wait
        none = torch.zeros(()), torch.full((), torch.nan)
        return torch.stack([each.double() for each in (after, branch / before, *none)])
    far = values.abs() > _FAR * after
    channels = values.ndim - 1 if values.ndim < _CHANNELS_SECOND else 1
    of_channels = far.transpose(0, channels).flatten(1).sum(1)
    most = torch.where(of_channels.any(), of_channels.argmax().double(), torch.nan)
    measured = (after, branch / before, far.double().mean(), most)
    return torch.stack([each.double() for each in measured])


def _largest(values: Tensor) -> Tensor:
    """The largest magnitude; NaN if any is."""
    largest: Tensor = torch.linalg.vector_norm(values, torch.inf)
    return largest


def rms(tensor: Tensor) -> Tensor:
    """Root mean square, in 32 bits or more, [] on the tensor's device."""
    wide = torch.promote_types(tensor.dtype, torch.float32)
    norm: Tensor = torch.linalg.vector_norm(tensor.detach(), dtype=wide)
    size: Tensor = norm / tensor.numel() ** 0.5
    return size
