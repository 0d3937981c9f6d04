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

_MADE: dict[StorageWeakRef, int] = {}
"""By the memory of what networks have given in the steps that go on: which network, by its id."""


class Adversaries:
    """Looks at networks that the training loop calls, one with what another has just given.

    A discriminator gets a generator's outputs twice: cut off from it, to learn that they are false,
    and connected with it, for the generator to learn. The gradients on its scores have opposite
    signs in the two passes, whatever the losses are. Each may be watched by a monitor of its own.
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
        connected = got.requires_grad

        def see(gradient: Tensor) -> None:
            if has_memory(gradient) and not torch.is_grad_enabled():  # a penalty's makes a graph
                ends = torch.stack([gradient.min(), gradient.max()])
                passes[connected].append(on_host(ends.detach()))

        return [output.register_hook(QuietHook(see))]  # type: ignore[no-untyped-call]

    def take(self) -> tuple[Pending[float], Pending[float]] | None:
        """1 where all scores of another's outputs were to be smaller, -1 where larger, 0 where
        neither: in passes that are cut off from that one, and in those that reach it. NaN without
        such a pass; None without either. Of the first such pair since the last call.
        """
        passes = next((each for each in self._seen.values() if any(each)), None)
        for place in self._own:
            _MADE.pop(place, None)
        self._own, self._seen = [], {}
        return None if passes is None else (Pending(_way, passes[0]), Pending(_way, passes[1]))


def _maker_of(tensor: Tensor, module: nn.Module) -> int | None:
    if not (_MADE and has_memory(tensor)):
        return None
    maker = _MADE.get(StorageWeakRef(tensor.untyped_storage()))  # type: ignore[no-untyped-call]
    return None if maker == id(module) else maker


def _way(ends: list[Pending[Tensor]]) -> float:
    """The sign that all have in common."""
    ways = set()
    for low, high in (each.get().tolist() for each in ends):
        ways.add(float(high > 0) - float(low < 0) if low * high >= 0 else 0.0)
    return (ways.pop() if len(ways) == 1 else 0.0) if ways else math.nan
