"""Batch normalisations of a frozen part that are in training mode: their statistics move on."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

_Norm = nn.modules.batchnorm._BatchNorm

_UNKNOWN = MappingProxyType({"frozen_variance": math.nan, "frozen_apart": math.nan})

_MOST = 8
"""Of the first in the network: what is behind one that normalises gets about what it got before."""


class FrozenNorms:
    """Those whose parameters, and those of all that comes before them or stands beside them, are
    frozen, and that have been trained before: their running statistics are not those of the start.

    Args:
        before: of the network as it was before it changed: what came with it then, counts.
    """

    def __init__(self, network: nn.Module, before: "FrozenNorms | None" = None) -> None:
        known = {} if before is None else before._came_with
        self._came_with: dict[_Norm, Tensor] = {}
        self._begun: dict[_Norm, tuple[Tensor, Tensor]] = {}  # their statistics, as a step begins
        self._sum, self._looks = 0.0, 0
        self._seen: Mapping[str, float] = _UNKNOWN
        for norm in _frozen(network)[:_MOST]:
            mean, variance = _statistics(norm)
            if norm in known:
                self._came_with[norm] = known[norm]
            elif not variance.is_meta and (mean.any() or not (variance == 1).all()):
                self._came_with[norm] = variance.detach().clone()

    def begin(self) -> None:
        """A step begins that is looked at."""
        self._seen = _UNKNOWN
        self._begun = {
            norm: (mean.detach().clone(), variance.detach().clone())
            for norm in self._came_with
            if norm.training
            for mean, variance in (_statistics(norm),)
        }

    @property
    def seen(self) -> Mapping[str, float]:
        """Figures of the step, once its forward passes are over, of those in training mode, NaN
        without such; the first call waits for the device.

        `frozen_variance`: running variance / that which they came with, the median over the
        channels, of the norm whose is furthest from 1. `frozen_apart`: how far a batch's mean is
        from the running one, in running deviations, or its deviation, whichever is larger; the
        median over the channels, of the norm that has most, the mean over all looks so far.
        """
        moved: list[Tensor] = []
        apart: list[Tensor] = []
        for norm, begun in self._begun.items():
            came_with, (_, variance) = self._came_with[norm], _statistics(norm)
            moved.append(((variance + norm.eps) / (came_with + norm.eps)).log().median().float())
            apart.append(_apart(norm, *begun).median().float())
        self._begun = {}
        if not moved:
            return self._seen
        logarithms, distances = torch.stack([torch.stack(moved), torch.stack(apart)]).tolist()
        self._sum, self._looks = self._sum + max(distances), self._looks + 1
        furthest = math.exp(max(logarithms, key=abs))
        apart_so_far = self._sum / self._looks
        self._seen = {"frozen_variance": furthest, "frozen_apart": apart_so_far}
        return self._seen


def _statistics(norm: _Norm) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.running_mean, norm.running_var


def _apart(norm: _Norm, mean: Tensor, variance: Tensor) -> Tensor:
    """Of the batches since those were the running statistics, [channels]: as these are moved by
    `momentum` times the distance, it is known from how far they have moved.
    """
    now, variance_now = _statistics(norm)
    momentum = norm.momentum or 1 / max(int(norm.num_batches_tracked or 1), 1)
    of_mean, of_variance = (now - mean) / momentum, (variance_now - variance) / momentum
    deviation = (variance + norm.eps).sqrt()
    of_deviation = (variance + norm.eps + of_variance).clamp(0).sqrt() / deviation - 1
    return torch.maximum(of_mean.abs() / deviation, of_deviation.abs())


def _frozen(network: nn.Module) -> list[_Norm]:
    homes = {child: home for home in network.modules() for child in home.children()}
    found, is_first = [], True  # nothing that is trained has come yet, in the order of registration
    for module in network.modules():
        is_first &= not any(each.requires_grad for each in module.parameters(recurse=False))
        if not isinstance(module, _Norm) or module.running_mean is None:
            continue
        beside = homes.get(module, module).parameters()
        if is_first or not any(each.requires_grad for each in beside):
            found.append(module)
    return found
