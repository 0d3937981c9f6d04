"""Copies that processes should have of one output: are they the same?"""

from collections.abc import Sequence

import torch
from torch import Tensor

from layerscope.record.distributed.layouts import Layout, Layouts, Line

_APART = 1e-3
"""Of the sum of magnitudes, what sums of copies may differ by: they were added up in float32."""

Sums = dict[str, tuple[list[Line], float, float]]
"""By output: the processes that should have copies of it, its sum, and that of its magnitudes."""


class Copies:
    """Compares the copies of outputs in the first step in which each is measured.

    Attributes:
        differing: outputs whose copies differ; taken by whoever tells of it.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[list[Line], Tensor]] = {}
        self.differing: list[str] = []

    @property
    def has_news(self) -> bool:
        """Whether there is anything to compare."""
        return bool(self._sums)

    def note(self, name: str, layouts: Layouts, layout: Layout, own: Tensor) -> None:
        """Note a call's output, of which other processes may have copies."""
        lines = [line for line in layouts.lines if line not in layout.parts]
        if lines:
            own = own.detach()
            size = torch.linalg.vector_norm(own, 1, dtype=torch.float64)
            sums = torch.stack([own.sum(dtype=torch.float64), size])
            known = self._sums.get(name)
            self._sums[name] = lines, sums if known is None else known[1] + sums

    def take(self) -> Sums:
        """What is to be compared; waits for the device."""
        noted, self._sums = self._sums, {}
        return {name: (lines, *sums.tolist()) for name, (lines, sums) in noted.items()}

    def compare(self, of_ranks: Sequence[Sums]) -> None:
        """Find what differs.

        Args:
            of_ranks: what each process took, in the order of the ranks.
        """
        found: dict[str, None] = {}
        for of_rank in of_ranks:
            for name, (lines, own, size) in of_rank.items():
                for line in lines:
                    first = of_ranks[line[0]].get(name)
                    most = _APART * size  # NaN is left to those who tell of NaN
                    if first is None or abs(first[1] - own) > most or abs(first[2] - size) > most:
                        found[name] = None
        self.differing += found
