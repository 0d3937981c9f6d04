"""What an optimizer really did to the weights: measured from the weights themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import PinnedRing
from layerscope.measure.tally import is_measurable

_SIXTEEN_BITS = (torch.bfloat16, torch.float16)


@dataclass(frozen=True, slots=True, eq=False)
class UpdateReading:
    """How much a step has changed each of a list of parameters.

    Attributes:
        update: float64 [parameters], the RMS of the update; NaN of one that was not copied.
        weight: float64 [parameters], likewise that of the weight before it.
        lost: float64 [parameters], of a parameter of 16 bits the share of its elements with a
            gradient whose stored value is as it was; NaN of others, and where the gradient is gone
            or sparse.
    """

    update: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    lost: npt.NDArray[np.float64]


class Updates:
    """RMS(update) and RMS(weight before it), of each of a list of parameters.

    A copy of the weights is taken before the optimizer's step and kept until after it: the
    memory of the parameters once more, and two passes over them, in the steps that are measured.
    It is right for any optimizer, its momentum, decay and clipping included.

    Args:
        parameters: which.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._before: list[Tensor | None] = [None] * len(self._parameters)
        self._chosen: list[int] = []
        self._ring: PinnedRing | None = None

    def begin(self, which: Sequence[bool]) -> None:
        """Copy weights as they are before the step.

        Args:
            which: of the parameters, in their order: those that the step may change.
        """
        self._chosen = [
            i
            for i, is_chosen in enumerate(which)
            if is_chosen and is_measurable(self._parameters[i])
        ]
        old, new = [], []
        for i in self._chosen:
            now, before = self._parameters[i].detach(), self._before[i]
            if before is None or not _is_alike(before, now):
                before = self._before[i] = torch.empty_like(now)
            old.append(before)
            new.append(now)
        if old:
            torch._foreach_copy_(old, new)

    def leave_out(self, which: Sequence[bool]) -> None:
        """Forget the copies of some parameters: no step has come to them."""
        self._chosen = [i for i in self._chosen if not which[i]]

    def differences(self) -> list[Tensor | None]:
        """Weights now minus weights before, parameter by parameter; None of one that was not
        copied.
        """
        changes: list[Tensor | None] = [None] * len(self._parameters)
        for i in self._chosen:
            before = self._before[i]
            assert before is not None
            changes[i] = self._parameters[i].detach() - before
        return changes

    def end(self) -> Pending[UpdateReading] | None:
        """What the step changed, from a CUDA device later; None if nothing was copied.

        The share that is lost takes three more passes over parameters of 16 bits, and nothing for
        others.
        """
        chosen = self._chosen
        changes = [change for change in self.differences() if change is not None]
        before = [old for i in chosen if (old := self._before[i]) is not None]
        if not changes:
            return None
        # In float16 a norm would overflow at 65,504: a weight of RMS 30 with 5 million elements.
        wide = max((each.dtype for each in before), key=lambda dtype: dtype.itemsize)
        wide = torch.promote_types(wide, torch.float32)
        norms = torch._foreach_norm([*changes, *before], 2, wide)
        device = norms[0].device  # parameters may lie on several
        lost = self._lost(changes)
        packed = torch.stack([each.to(device) for each in (*norms, *lost)]).view(-1, len(chosen))
        roots = np.array([max(old.numel(), 1) ** 0.5 for old in before])
        count = len(self._parameters)

        def decode(host: Tensor) -> UpdateReading:
            read = np.full((3, count), np.nan)
            known = host[:, : len(chosen)].double().numpy()
            read[:2, chosen] = known[:2] / roots
            if lost:
                read[2, chosen] = known[2]
            return UpdateReading(*read)

        if device.type != "cuda":
            on_host = packed.cpu()  # device to host, where there is a device
            return Pending.at_hand(decode(on_host))
        if self._ring is None:
            self._ring = PinnedRing(packed.new_empty((3, count)), slots=4)
        whole = torch.nn.functional.pad(packed, (0, count - len(chosen), 0, 3 - len(packed)))
        return self._ring.send(whole, decode)

    def _lost(self, changes: Sequence[Tensor]) -> list[Tensor]:
        """Of each copied parameter the share that rounding has left as it was, float32 []; an empty
        list if none has 16 bits.
        """
        parameters = [self._parameters[i] for i in self._chosen]
        if not any(parameter.dtype in _SIXTEEN_BITS for parameter in parameters):
            return []
        return [
            _share_lost(parameter.grad, change)
            if parameter.dtype in _SIXTEEN_BITS
            else torch.full((), torch.nan, device=parameter.device)
            for parameter, change in zip(parameters, changes, strict=True)
        ]


def _is_alike(one: Tensor, other: Tensor) -> bool:
    return (one.shape, one.dtype, one.device) == (other.shape, other.dtype, other.device)


def _share_lost(gradient: Tensor | None, change: Tensor) -> Tensor:
    """Of the elements with a gradient, the share without a change; NaN where there is none."""
    if gradient is None or gradient.layout is not torch.strided:
        return torch.full((), torch.nan, device=change.device)
    driven = gradient != 0
    return (driven & (change == 0)).sum() / driven.sum()
