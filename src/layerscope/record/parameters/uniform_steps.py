"""Whether a step changes all elements of a bias by the very same number."""

from itertools import islice

import torch
from torch import Tensor, nn

_VECTORS, _FEWEST = 16, 8
"""How many are followed, and elements: that fewer go the same way is nothing odd."""

_ROUNDED = 1e-5
_SEEN = 0.01
"""Of the largest slope: one of each sign that is as large is no rounding."""


_DECAYED = 0.01
"""Of its size: by no more does a usual rate times a usual decay move an element."""


class UniformSteps:
    """Compares biases before and after a step that is looked at.

    A step that is made of gradients moves elements apart whose gradients differ, and those with
    opposite signs opposite ways. Where the gradients are gone when the step is over, as a loop
    clears them that moves its weights by hand, units with different weights have had different
    ones.

    Elements that were all the same and come a little closer to zero may have been decayed alone: a
    normalisation's scales have a gradient of zero, but for rounding, where each channel is
    normalised again before it meets another one, as around a depthwise convolution.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._vectors: list[nn.Parameter] | None = None  # to find them takes longer than all else
        self._before: dict[nn.Parameter, Tensor] = {}
        self._gradients: dict[nn.Parameter, Tensor] = {}

    def forget(self) -> None:
        """The network has changed."""
        self._vectors = None

    def begin(self) -> None:
        """A step begins that is looked at."""
        self._gradients.clear()
        if self._vectors is None:
            self._vectors = list(filter(_is_followed, self._network.parameters()))
        trained = islice((each for each in self._vectors if each.requires_grad), _VECTORS)
        self._before = {each: each.detach().clone() for each in trained}

    def note_gradients(self) -> None:
        """An optimizer is about to take its step with the gradients as they are."""
        for each in self._before:
            if each.grad is not None and each.grad.layout is torch.strided:
                self._gradients[each] = each.grad.detach().clone()

    def take(self) -> int:
        """How many biases the step has changed by one number, their gradients' signs being mixed;
        waits for the device.
        """
        before, self._before = self._before, {}
        if not before:
            return 0
        # Two elements tell most apart: all of them cost ten times as much.
        may_be = [each for each, was in before.items() if _both_ends_move_alike(each.detach(), was)]
        if not may_be:
            return 0
        alike = [(each, _is_uniform(each.detach(), before[each])) for each in may_be]
        device = alike[0][1].device  # parameters may lie on several
        found = torch.stack([is_so.to(device) for _, is_so in alike]).tolist()
        uniform = {each for (each, _), is_so in zip(alike, found, strict=True) if is_so}
        return sum(map(self._are_apart, uniform)) if uniform else 0

    def _are_apart(self, bias: nn.Parameter) -> bool:
        if bias in self._gradients:
            return bool(_is_mixed(self._gradients[bias]))
        if bias.grad is not None and bool(bias.grad.any()):
            return bool(_is_mixed(bias.grad))
        weight = self._weight_of(bias)
        return weight is not None and bool((weight != weight[:1]).any())

    def _weight_of(self, bias: nn.Parameter) -> Tensor | None:
        """The matrix or kernel beside it, a row for each of its elements."""
        for module in self._network.modules():
            own = list(module.parameters(recurse=False))
            if any(each is bias for each in own):
                rows = (each.detach() for each in own if each.ndim > 1)
                return next((each for each in rows if len(each) == len(bias)), None)
        return None


def _is_followed(parameter: nn.Parameter) -> bool:
    return (
        type(parameter) is nn.Parameter
        and parameter.ndim == 1
        and parameter.numel() >= _FEWEST
        and parameter.is_floating_point()
        and not parameter.is_meta
    )


def _is_mixed(gradient: Tensor) -> Tensor:
    gradient = gradient.detach()
    least = _SEEN * gradient.abs().amax()
    return (gradient.amax() > least) & (gradient.amin() < -least)


def _both_ends_move_alike(now: Tensor, before: Tensor) -> bool:
    if now.shape != before.shape or now.device != before.device or not now.is_cpu:
        return True  # of a device all are asked at once
    ends = slice(None, None, len(now) - 1)
    (left, right), (was_left, was_right) = now[ends].tolist(), before[ends].tolist()
    first, last = left - was_left, right - was_right
    rounded = torch.finfo(now.dtype).eps * max(abs(left), abs(right))
    return first != 0 and abs(first - last) <= 8 * rounded + 2 * _ROUNDED * abs(first)


def _is_uniform(now: Tensor, before: Tensor) -> Tensor:
    if now.shape != before.shape:
        return torch.zeros((), dtype=torch.bool, device=now.device)
    before = before.to(now.device)
    change = (now - before).float()
    size = change.mean().abs()
    rounded = torch.finfo(now.dtype).eps * now.abs().amax().float()
    apart = change.amax() - change.amin()
    decayed = (before.amax() - before.amin() <= 4 * rounded) & (before[0] * change.mean() < 0)
    decayed &= size <= _DECAYED * before[0].abs()
    return (size > 8 * rounded) & (apart <= 4 * rounded + _ROUNDED * size) & ~decayed
