"""Which way a network that judges another one's outputs is asked to move, in either one's pass."""

import math
import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils.hooks import RemovableHandle

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.graph_nodes import backward_pass
from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.outputs import tensors_in
from layerscope.record.samples import has_memory

_FEWEST = 8
"""Scores: fewer have one sign by chance."""

_STRAIGHT, _SAME = 0.01, 0.05
"""How far a squared error's gradients lie from a line, as a share of their range; and how far apart
two targets are, as a share of the larger one, that are taken for the same."""


@dataclass(slots=True, eq=False)
class _Network:
    """One that the loop has called.

    Attributes:
        weight: its first trained parameter, if it has one.
        made: what it has given, without its graph; None of one that judges.
        last_pass: the last backward pass that came to what it gave, as torch numbers them.
    """

    ident: int
    weight: weakref.ref[nn.Parameter] | None
    made: Tensor | None = None
    last_pass: int = -1

    @classmethod
    def of(cls, module: nn.Module) -> "_Network":
        """As it is called."""
        trained = next((each for each in module.parameters() if each.requires_grad), None)
        return cls(id(module), None if trained is None else weakref.ref(trained))

    def note_pass(self, _: Tensor) -> None:
        """A gradient comes to what it gave."""
        self.last_pass = backward_pass()

    @property
    def writes(self) -> int:
        """How often its weight was written; -1 without one."""
        weight = None if self.weight is None else self.weight()
        return -1 if weight is None else weight._version


@dataclass(frozen=True, slots=True, eq=False)
class _CutOff:
    """A gradient has come to what a network made of another one's outputs, cut off from that.

    Attributes:
        number: of the backward pass.
        before: how often their weights were written: the judge's, the maker's.
    """

    judge: _Network
    maker: _Network
    number: int
    before: tuple[int, int]


_MADE: dict[StorageWeakRef, _Network] = {}
"""By the memory of what networks have given in the steps that go on: which network."""


class Adversaries:
    """Looks at networks that the training loop calls, one with what another has just given.

    A discriminator gets a generator's outputs twice: cut off from it, to learn that they are false,
    and connected with it, for the generator to learn. The gradients on its scores have opposite
    signs in the two passes, but for squared errors (Mao et al. 2017, Least Squares Generative
    Adversarial Networks): scores below both targets are to rise in either pass, and what tells
    is the targets. Each network may be watched by a monitor of its own.

    A backward pass that comes to the generator's outputs, and to the scores of these cut off from
    it, is of a loss with two terms, one of which trains the discriminator alone. That is meant if
    an optimizer then moves the discriminator as well, before it is called again.
    """

    def __init__(self) -> None:
        self._own: list[StorageWeakRef] = []
        self._cut_off: list[_CutOff] = []
        self._in_vain: bool | None = None
        self._seen: dict[tuple[int, int], list[list[Pending[Tensor]]]] = {}

    def note_made(self, module: nn.Module, output: Any) -> list[RemovableHandle]:
        """A network that the loop called has given this, with a gradient or without: a hook on it
        tells of the passes that come to it.
        """
        made = next((each for _, each in tensors_in(output)), None)
        if made is None or not has_memory(made):
            return []
        place = StorageWeakRef(made.untyped_storage())  # type: ignore[no-untyped-call]
        _MADE[place] = maker = _Network.of(module)
        maker.made = made.detach()
        self._own.append(place)
        if not made.requires_grad:
            return []
        return [made.register_hook(QuietHook(maker.note_pass))]  # type: ignore[no-untyped-call]

    def watch(self, module: nn.Module, inputs: Any, output: Tensor) -> list[RemovableHandle]:
        """Put a hook on what a network gives, if another one has given what it got in this step."""
        self._settle(id(module))
        makers = ((each, _maker_of(each, module)) for _, each in tensors_in(inputs))
        got, maker = next((pair for pair in makers if pair[1] is not None), (None, None))
        if got is None or maker is None:
            return []
        is_score = output.numel() >= _FEWEST and (
            output.ndim <= 1 or output.shape[1 if output.ndim > 2 else -1] == 1
        )
        passes = self._seen.setdefault((id(module), maker.ident), [[], []])
        judge = _Network.of(module)
        connected, scores = got.requires_grad, output.detach()

        def see(gradient: Tensor) -> None:
            if not connected and backward_pass() >= 0:
                before = judge.writes, maker.writes
                self._cut_off.append(_CutOff(judge, maker, backward_pass(), before))
            if is_score and has_memory(gradient) and not torch.is_grad_enabled():  # as a penalty's
                passes[connected].append(on_host(_asked(scores, gradient.detach())))

        return [output.register_hook(QuietHook(see))]  # type: ignore[no-untyped-call]

    def take_in_vain(self) -> bool | None:
        """Whether a term of a loss was made of outputs that were cut off from the network which the
        loss trained; None where nothing was cut off. Of all passes since the last call.
        """
        self._settle()
        found, self._in_vain = self._in_vain, None
        return found

    def _settle(self, judge: int | None = None) -> None:
        """Look which passes have trained a maker and not its judge, of one judge or of all."""
        waiting, self._cut_off = self._cut_off, []
        for each in waiting:
            if judge is not None and each.judge.ident != judge:
                self._cut_off.append(each)
                continue
            is_one = each.maker.last_pass == each.number
            judged, made = each.before
            alone = each.judge.writes == judged and each.maker.writes != made
            self._in_vain = bool(self._in_vain) or (is_one and alone)

    def take(self) -> tuple[Pending[float], Pending[float]] | None:
        """1 where all scores of another's outputs were to be smaller, -1 where larger, 0 where
        neither: in passes that are cut off from that one, and in those that reach it. Of squared
        errors 1 and 1 where the targets are the same, else 0 and 0, and NaN where passes of one
        kind came alone. NaN without such a pass; None without either. Of the first such pair since
        the last call.
        """
        passes = next((each for each in self._seen.values() if any(each)), None)
        for place in self._own:
            _MADE.pop(place, None)
        self._own, self._seen = [], {}
        if passes is None:
            return None
        return Pending(_way, passes[0], passes[1]), Pending(_way, passes[1], passes[0])


def _maker_of(tensor: Tensor, module: nn.Module) -> _Network | None:
    """Which other network has given a tensor, or, of one without a graph, the first or the last of
    its columns or channels: beside what the network was given, say. Waits for the device there.
    """
    if not (_MADE and has_memory(tensor)):
        return None
    maker = _MADE.get(StorageWeakRef(tensor.untyped_storage()))  # type: ignore[no-untyped-call]
    if maker is None and not tensor.requires_grad:
        maker = next((each for each in _MADE.values() if _has_part(tensor, each.made)), None)
    return None if maker is None or maker.ident == id(module) else maker


def _has_part(joined: Tensor, made: Tensor | None) -> bool:
    if made is None or min(joined.ndim, made.ndim) < 2 or joined.device != made.device:
        return False
    width = made.shape[1]
    if not 0 < width < joined.shape[1] or joined.narrow(1, 0, width).shape != made.shape:
        return False
    ends = joined.narrow(1, 0, width), joined.narrow(1, joined.shape[1] - width, width)
    return any(torch.equal(end, made) for end in ends)


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
    other network's passes have the same targets: NaN without any, since a sign says nothing there.
    Scores that are close to each other have gradients on a line under any loss.
    """
    asked, of_others = ([each.get().tolist() for each in some] for some in (passes, others))
    if not asked:
        return math.nan
    both = asked + of_others
    if all(slope > 0 and off <= _STRAIGHT * (high - low) for low, high, slope, _, off in both):
        if not of_others:
            return math.nan
        targets = [target for *_, target, _ in both]
        return float(max(targets) - min(targets) <= _SAME * max(map(abs, targets)))
    ways = {float(high > 0) - float(low < 0) if low * high >= 0 else 0.0 for low, high, *_ in asked}
    return ways.pop() if len(ways) == 1 else 0.0
