"""Numbers of things that went through a type too short to hold them, before an embedding."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from layerscope.figures.kept_between_looks import KeptBetweenLooks

_ENOUGH = 32
"""Different numbers above what the type holds whole: half of them or fewer are multiples as it
rounds them to, so that all are by chance in 1 of 4 billion."""

WHOLE: Mapping[torch.dtype, int] = {torch.bfloat16: 256, torch.float16: 2048}
"""Up to which a type holds every whole number: 2 to the power of its digits."""


class RoundedIds(KeptBetweenLooks):
    """Collects the numbers that each embedding gets, until one shows that they were not rounded."""

    def __init__(self) -> None:
        # By embedding and what a type holds whole: some of what it got, if all could be so far.
        self._held: dict[int, dict[int, list[int]]] = {}

    def see(self, ids: Sequence[tuple[int, Tensor]]) -> float:
        """Up to which number the type holds all that rounded what some embedding got so far; 0 if
        none is known to have.

        Args:
            ids: which embedding of the network, from 0, and some of what it got.
        """
        for embedding, numbers in ids:
            fresh: dict[int, list[int]] = {whole: [] for whole in WHOLE.values()}
            self._note(self._held.setdefault(embedding, fresh), numbers)
        rounded = [
            whole
            for held in self._held.values()
            for whole, numbers in held.items()
            if len(numbers) >= _ENOUGH
        ]
        return float(min(rounded, default=0))

    def _note(self, held: dict[int, list[int]], numbers: Tensor) -> None:
        for dtype, whole in WHOLE.items():
            large = numbers[numbers > whole]
            if whole not in held or not len(large):
                continue
            if not (large.to(dtype).double() == large).all():
                del held[whole]
            elif len(held[whole]) < _ENOUGH:
                seen = torch.tensor(held[whole], dtype=large.dtype, device=large.device)
                held[whole] = torch.unique(torch.cat([seen, large]))[:_ENOUGH].tolist()
