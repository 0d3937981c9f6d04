"""Which way a network that judges another one's outputs is asked to move, in either one's pass."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.hooks import RemovableHandle

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.outputs import tensors_in
from layerscope.record.samples import has_memory

_FEWEST = 8
"""Scores: fewer have one sign by chance."""

_STRAIGHT, _SAME = 0.01, 0.05
"""How far a squared error's gradients lie from a line, as a share of their range; and how far apart
two targets are, as a share of the larger one, that are taken for the same."""

_MADE: dict[StorageWeakRef, int] = {}
"""By the memory of what networks have given in the steps that go on: which network, by its id."""


class Adversaries:
    """Looks at networks that the training loop calls, one with what another has just given.

    A discriminator gets a generator's outputs twice: cut off from it, to learn that they are false,
    and connected with it, for the generator to learn. The gradients on its scores have opposite
    signs in the two passes, but for squared errors (Mao et al. 2017, Least Squares Generative
    Adversarial Networks): scores below both targets are to rise in either pass, and what tells
    is the targets. Each network may be watched by a monitor of its own.
    """

    def __init__(self) -> None:
        self._own: list[StorageWeakRef] = []
        self._seen: dict[tuple[int, int], list[list[Pending[Tensor]]]] = {}

    def note_made(self, module: nn.Module, output: Any) -> None:
        """A network that the loop called has given this, with a gradient or without."""
        made = next((each for _, each in tensors_in(output)), None)
        if made is not None and has_memory(made):
            place = StorageWeakRef(made.untyped_storage())  # type: ignore[no-untyped-call]
            _MADE[place] = id(module)
            self._own.append(place)

    def watch(self, module: nn.Module, inputs: Any, output: Tensor) -> list[RemovableHandle]:
        """Put a hook on what a network gives, if another one has given what it got in this step."""
        makers = ((each, _maker_of(each, module)) for _, each in tensors_in(inputs))
        got, maker = next((pair for pair in makers if pair[1] is not None), (None, None))
        is_score = output.numel() >= _FEWEST and (
            output.ndim <= 1 or output.shape[1 if output.ndim > 2 else -1] == 1
        )
        if got is None or maker is None or not is_score:
            return []
        passes = self._seen.setdefault((id(module), maker), [[], []])
        connected, scores = got.requires_grad, output.detach()

        def see(gradient: Tensor) -> None:
            if has_memory(gradient) and not torch.is_grad_enabled():  # a penalty's makes a graph
                passes[connected].append(on_host(_asked(scores, gradient.detach())))

        return [output.register_hook(QuietHook(see))]  # type: ignore[no-untyped-call]

    def take(self) -> tuple[Pending[float], Pending[float]] | None:
        """1 where all scores of another's outputs were to be smaller, -1 where larger, 0 where
        neither: in passes that are cut off from that one, and in those that reach it. Of squared
        errors 1 and 1 where the targets are the same, else 0 and 0. NaN without such a pass; None
        without either. Of the first such pair since the last call.
        """
        passes = next((each for each in self._seen.values() if any(each)), None)
        for place in self._own:
            _MADE.pop(place, None)
        self._own, self._seen = [], {}
        if passes is None:
            return None
        return Pending(_way, passes[0], passes[1]), Pending(_way, passes[1], passes[0])


def _maker_of(tensor: Tensor, module: nn.Module) -> int | None:
    if not (_MADE and has_memory(tensor)):
        return None
    maker = _MADE.get(StorageWeakRef(tensor.untyped_storage()))  # type: ignore[no-untyped-call]
    return None if maker == id(module) else maker


def _asked(scores: Tensor, gradient: Tensor) -> Tensor:
    """What a pass asks of scores, [5]: the least and the largest gradient; slope and target of a
    squared error that would have these gradients; and how far they are from its.
    """
    away = scores - scores.mean()
    slope = (away * gradient).sum() / (away * away).sum()
    target = scores.mean() - gradient.mean() / slope
    off = (gradient - slope * (scores - target)).abs().max()
    return torch.stack([gradient.min(), gradient.max(), slope, target, off])


def _way(passes: list[Pending[Tensor]], others: list[Pending[Tensor]]) -> float:
    """The sign that all gradients of these passes have in common; of squared errors, whether the
    other network's passes have the same targets.
    """
    asked, of_others = ([each.get().tolist() for each in some] for some in (passes, others))
    if not asked:
        return math.nan
    both = asked + of_others
    if all(slope > 0 and off <= _STRAIGHT * (high - low) for low, high, slope, _, off in both):
        targets = [target for *_, target, _ in both]
        return float(max(targets) - min(targets) <= _SAME * max(map(abs, targets)))
    ways = {float(high > 0) - float(low < 0) if low * high >= 0 else 0.0 for low, high, *_ in asked}
    return ways.pop() if len(ways) == 1 else 0.0
