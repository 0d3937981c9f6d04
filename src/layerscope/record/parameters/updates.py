"""What an optimizer really did to the weights: measured from the weights themselves."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from layerscope.measure.capability import compiled_if_possible
from layerscope.measure.cpu.change_norms import change_norms
from layerscope.measure.measurable import is_measurable
from layerscope.measure.pinned_ring import PinnedRing
from layerscope.measure.unit_layout import fills_its_memory
from layerscope.record.distributed.shards import local_part

if TYPE_CHECKING:
    from layerscope.measure.cuda.change_norms import ChangeNorms
from layerscope.record.parameters.update_sums import ROWS, UpdateSums

_SIXTEEN_BITS = (torch.bfloat16, torch.float16)

_CACHE = 1 << 20
"""Bytes of copies that are taken together: they and their weights stay in a core's share."""


class Updates:
    """RMS(update) and RMS(weight before it), of each of a list of parameters.

    A copy of the weights is taken before the optimizer's step and kept until after it: the
    memory of the parameters once more, and two passes over them, in the steps that are measured.
    It is right for any optimizer, its momentum, decay and clipping included. Of float32 on a CPU,
    and on CUDA where Triton is, one pass over both tells; elsewhere the copies then become the
    changes.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._before: list[Tensor | None] = [None] * len(self._parameters)
        self._chosen: list[int] = []  # between a step's beginning and its end
        self._changed: list[int] = []
        self._copies_changed = False  # into the changes
        self._ring: PinnedRing | None = None

    def begin(self, which: Sequence[bool]) -> None:
        """Copy weights as they are before the step.

        Args:
            which: of the parameters, in their order: those that the step may change.
        """
        self._chosen = [
            i
            for i, is_chosen in enumerate(which)
            if is_chosen and is_measurable(local_part(self._parameters[i]))
        ]
        old, new = [], []
        for i in self._chosen:
            now, before = self._now(i), self._before[i]
            about = (now.shape, now.dtype, now.device)
            if before is None or (before.shape, before.dtype, before.device) != about:
                before = self._before[i] = torch.empty_like(now)
            old.append(before)
            new.append(now)
        if old:
            torch._foreach_copy_(old, new)

    def leave_out(self, which: Sequence[bool]) -> None:
        """Forget the copies of some parameters: no step has come to them."""
        self._chosen = [i for i in self._chosen if not which[i]]

    def changes(self) -> dict[int, Tensor]:
        """After `end`, of each parameter that was copied, its weights now minus those before."""
        kept = self._kept(self._changed)
        if self._copies_changed:
            return dict(zip(self._changed, map(torch.neg, kept), strict=True))
        now = map(self._now, self._changed)
        return dict(zip(self._changed, map(torch.sub, now, kept), strict=True))

    def _kept(self, which: Sequence[int]) -> list[Tensor]:
        return [kept for i in which if (kept := self._before[i]) is not None]

    def _now(self, i: int) -> Tensor:
        return local_part(self._parameters[i]).detach()

    def end(self) -> UpdateSums:
        """What the step changed of what was copied.

        Without a kernel for it the share that is lost takes four more passes over parameters of 16
        bits, and nothing for others.
        """
        chosen, self._chosen = self._chosen, []
        self._changed = chosen
        kept, now = self._kept(chosen), [self._now(i) for i in chosen]
        packed = self._norms_by_one_pass(chosen, kept, now)
        self._copies_changed = packed is None
        if packed is None:
            packed = self._norms_of_changes(chosen, kept, now)
        return UpdateSums(
            packed,
            chosen,
            [parameter.numel() for parameter in self._parameters],
            self._ring_on(packed.device),
        )

    def _norms_by_one_pass(
        self, chosen: Sequence[int], kept: list[Tensor], now: list[Tensor]
    ) -> Tensor | None:
        """What `UpdateSums` packs, where one read of both can tell it; the copies stay."""
        if not chosen:
            return None
        if all(map(_is_plain, now, kept)):
            return _norms_of_plain(kept, now)
        if (kernel := self._kernel) is None:
            return None
        slopes = [self._parameters[i].grad for i in chosen]
        gradients = [None if each is None else local_part(each) for each in slopes]
        together = zip(now, kept, gradients, strict=True)
        if not all(_lie_alike(kernel.device, *each) for each in together):
            return None
        return kernel(now, kept, gradients)

    @functools.cached_property
    def _kernel(self) -> ChangeNorms | None:
        """For the first parameter's device, if it is CUDA's; None where Triton is not."""
        device = local_part(self._parameters[0]).device

        def compiled() -> ChangeNorms | None:
            from layerscope.measure.cuda.change_norms import ChangeNorms  # a second to import

            norms = ChangeNorms(device)
            norms.compile()
            return norms

        return compiled_if_possible(device, compiled, lambda: None)

    def _norms_of_changes(
        self, chosen: Sequence[int], kept: list[Tensor], now: list[Tensor]
    ) -> Tensor:
        """What `UpdateSums` packs; the copies become what was before, minus what is now."""
        of_weights: list[Tensor] = []
        of_changes: list[Tensor] = []
        for few in _in_cache(kept):
            part = slice(len(of_changes), len(of_changes) + few)
            of_weights += _norms(kept[part], kept)
            torch._foreach_sub_(kept[part], now[part])
            of_changes += _norms(kept[part], kept)
        first = next(iter((*of_changes, *self._parameters)), torch.empty(0))
        where = first.device  # parameters may lie on several
        packed = [each.to(where) for each in (*of_changes, *of_weights, *self._lost(chosen))]
        if not packed:
            return torch.zeros(2, 0, device=where)
        return torch.stack(packed).view(-1, len(chosen))

    def _ring_on(self, device: torch.device) -> PinnedRing | None:
        if self._ring is None and device.type == "cuda":
            like = torch.empty((ROWS, len(self._parameters)), dtype=torch.float32)
            self._ring = PinnedRing(like, slots=4)
        return self._ring

    def _lost(self, chosen: Sequence[int]) -> list[Tensor]:
        """Of each of these parameters the elements that rounding has left as they were, and of each
        those that had a gradient, float32 []; an empty list if none has 16 bits.
        """
        parameters = [self._parameters[i] for i in chosen]
        if not any(parameter.dtype in _SIXTEEN_BITS for parameter in parameters):
            return []
        counts = [
            _lost_and_driven(parameter, change)
            for parameter, change in zip(parameters, self._kept(chosen), strict=True)
        ]
        return [*(lost for lost, _ in counts), *(driven for _, driven in counts)]


def _is_plain(now: Tensor, before: Tensor) -> bool:
    """Whether both are rows of float32 in this machine's memory."""
    return (
        now.dtype is torch.float32 and now.is_cpu and now.is_contiguous() and before.is_contiguous()
    )


def _lie_alike(device: torch.device, now: Tensor, before: Tensor, gradient: Tensor | None) -> bool:
    """Whether all fill memory of one CUDA device in the same order, in a type of its kernels."""
    if now.device != device or now.stride() != before.stride() or not fills_its_memory(now):
        return False
    if gradient is None or now.dtype not in _SIXTEEN_BITS:
        return True
    return gradient.layout is torch.strided and (
        (gradient.dtype, gradient.device, gradient.shape, gradient.stride())
        == (now.dtype, device, now.shape, now.stride())
    )


def _norms_of_plain(kept: list[Tensor], now: list[Tensor]) -> Tensor:
    """The same of plain tensors: float64 [2, tensors]."""
    norms = torch.empty(2, len(kept), dtype=torch.float64)
    numbers: list[int] = []
    for new, old in zip(now, kept, strict=True):
        numbers += (new.data_ptr(), old.data_ptr(), new.numel())
    jobs = array("q", numbers)
    change_norms(jobs.buffer_info()[0], len(kept), norms.data_ptr())
    return norms


def _in_cache(tensors: list[Tensor]) -> Iterator[int]:
    """How many of the next ones to take together, again and again: on a CPU no more than stay in
    its cache.
    """
    few = size = 0
    for each in tensors:
        if few and each.is_cpu and size + each.nbytes > _CACHE:
            yield few
            few = size = 0
        few, size = few + 1, size + each.nbytes
    if few:
        yield few


def _norms(tensors: list[Tensor], among: list[Tensor]) -> Sequence[Tensor]:
    """Of some tensors, in a type that holds those of all."""
    # In float16 a norm would overflow at 65,504: a weight of RMS 30 with 5 million elements.
    wide = max((each.dtype for each in among), key=lambda dtype: dtype.itemsize)
    return torch._foreach_norm(tensors, 2, torch.promote_types(wide, torch.float32))


def _lost_and_driven(parameter: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """Elements with a gradient and without a change, and those with a gradient; none of a wide
    type, nor where the gradient is gone.
    """
    gradient = parameter.grad
    if parameter.dtype not in _SIXTEEN_BITS or gradient is None or gradient.layout != torch.strided:
        none = torch.zeros((), device=change.device)
        return none, none
    gradient = local_part(gradient)
    driven = _nonzero(gradient)
    return driven - _nonzero(change.masked_fill(gradient == 0, 0.0)), driven


def _nonzero(tensor: Tensor) -> Tensor:
    """How many elements are not 0, float32 []: on a GPU a norm finds that in one pass."""
    if tensor.is_cpu:
        return torch.count_nonzero(tensor).float()
    return torch.linalg.vector_norm(tensor, 0, dtype=torch.float32)
