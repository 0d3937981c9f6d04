"""Some samples of a tensor, as a matrix that the host can read."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.outputs import tensors_in

_ELEMENTS = 65_536
"""Of a larger output or input some samples are kept, evenly spaced: 256 kB."""

_CHANNELS_FIRST = 4
"""Axes from which on the second is that of channels, and so of classes, unless a loss tells."""


def feature_axis(axes: int) -> int:
    """Which axis of a tensor has its features, as long as nothing tells: the last, or channels'."""
    return 1 if axes >= _CHANNELS_FIRST else -1


def other_axis(axes: int) -> int | None:
    """Which other axis may have classes: the second of three, as a Conv1d gives them, and the last
    of more; None of fewer, where there is one only.
    """
    return None if axes < 3 else -1 if axes >= _CHANNELS_FIRST else 1


def evenly_spaced(tensor: Tensor, axis: int | None = None) -> slice:
    """Which samples to keep of a tensor, with its features along this axis: as many as fit."""
    samples = number_of_samples(tensor, axis)
    each = max(tensor.numel() // max(samples, 1), 1)
    most = max(_ELEMENTS // each, 1)
    return slice(None, None, max(-(-samples // most), 1))


def number_of_samples(tensor: Tensor, axis: int | None = None) -> int:
    """How many it has: elements / features, which lie along this axis, else as a rule."""
    if tensor.ndim <= 1:
        return tensor.numel()
    features = tensor.shape[feature_axis(tensor.ndim) if axis is None else axis]
    return tensor.numel() // max(features, 1)


def may_have_a_row_each(given: Iterable[Any], shape: Sequence[int]) -> bool:
    """Whether an output may have a row for each sample, as far as what the network was given tells:
    rows of samples and places together are more than it has of either.
    """
    tensors = [each for each in given if isinstance(each, Tensor) and each.ndim]
    return not tensors or any(shape[0] in each.shape[:2] for each in tensors)


def samples_of(tensor: Tensor, rows: slice, axis: int | None = None) -> Pending[Tensor]:
    """float64 [samples, features], a copy for the host: from a CUDA device it comes later.

    Args:
        rows: of which samples, see `evenly_spaced`.
        axis: along which the features lie; None where they do as a rule.
    """
    matrix = tensor.detach()
    if matrix.ndim <= 1:
        kept = matrix.reshape(-1, 1)[rows]
    else:
        axis = feature_axis(matrix.ndim) if axis is None else axis
        turned = matrix.movedim(axis, -1)
        if turned is matrix or turned.is_contiguous():
            kept = turned.reshape(-1, turned.shape[-1])[rows]
        else:  # to make rows of all of it would copy it
            places = turned.shape[:-1]
            chosen = torch.arange(0, places.numel(), rows.step or 1, device=matrix.device)
            kept = turned[torch.unravel_index(chosen, places)]
    if matrix.device.type == "cuda":
        return on_host(kept.double())
    # Device to host, where there is one; some have no float64.
    return Pending.at_hand(kept.to("cpu", torch.float64, copy=True))


def samples_alike(given: Any, shape: Sequence[int], rows: slice) -> Pending[Tensor] | None:
    """The same of the first tensor of such a shape that a network was given; None without any."""
    alike = (each for _, each in tensors_in(given) if each.shape == shape and has_memory(each))
    return next((samples_of(each, rows) for each in alike), None)


def sum_of_squares(tensor: Tensor) -> Pending[float]:
    """Of all its elements, added up in float32 or wider; from a CUDA device it comes later."""
    wide = torch.promote_types(tensor.dtype, torch.float32)
    norm = torch.linalg.vector_norm(tensor.detach(), dtype=wide)
    return on_host(norm).then(lambda there: float(there) ** 2)


def has_memory(tensor: Tensor) -> bool:
    """Whether a tensor has memory of its own to read."""
    return (
        type(tensor) in (Tensor, nn.Parameter)
        and tensor.layout is torch.strided
        and tensor.is_floating_point()
        and tensor.device.type != "meta"
        and tensor.numel() > 0
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )
