"""How much a step has changed each parameter: sums over the processes, then figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import PinnedRing

ROWS = 4
"""Of what `UpdateSums` packs, where a parameter has 16 bits."""


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


class UpdateSums:
    """What a step has changed of the parts that this process has: sums, still where they were made.

    Args:
        packed: float [2 or ROWS, chosen]: norms of the update and of the weight before it; and, if
            a parameter has 16 bits, elements that rounding has left, and those with a gradient.
        chosen: which of the parameters these are.
        elements: of each parameter, on all processes together.
        ring: in which they travel from a CUDA device.
    """

    def __init__(
        self,
        packed: Tensor,
        chosen: Sequence[int],
        elements: Sequence[int],
        ring: PinnedRing | None,
    ) -> None:
        self._packed = packed
        self._chosen = chosen
        self._elements = elements
        self._ring = ring

    def add_up(self, all_reduce: Callable[[Tensor], None]) -> None:
        """Make them those of all processes, of which each has its own part: one collective."""
        packed = self._packed.double()
        whole = packed.new_zeros(ROWS + 1, len(self._elements))
        whole[:2, self._chosen] = packed[:2].square()
        whole[2 : len(packed), self._chosen] = packed[2:]
        whole[ROWS, self._chosen] = 1.0
        all_reduce(whole)
        norms = whole[:2].sqrt().masked_fill(whole[ROWS] == 0, torch.nan)
        self._packed = torch.cat([norms, whole[2:ROWS]])
        self._chosen = range(len(self._elements))

    def reading(self) -> Pending[UpdateReading] | None:
        """As figures, from a CUDA device later; None if nothing was copied."""
        chosen, elements = list(self._chosen), self._elements
        if not chosen:
            return None
        roots = np.maximum([elements[i] for i in chosen], 1) ** 0.5

        def decode(host: Tensor) -> UpdateReading:
            read = np.full((3, len(elements)), np.nan)
            known = host[:, : len(chosen)].double().numpy()
            read[:2, chosen] = known[:2] / roots
            if len(known) == ROWS:
                lost, driven = known[2:]
                read[2, chosen] = np.divide(
                    lost, driven, out=np.full_like(lost, np.nan), where=driven > 0
                )
            return UpdateReading(*read)

        if self._ring is None:
            return Pending(decode, self._packed.cpu())  # device to host, where there is a device
        padding = (0, len(elements) - len(chosen), 0, ROWS - len(self._packed))
        return self._ring.send(torch.nn.functional.pad(self._packed.float(), padding), decode)
