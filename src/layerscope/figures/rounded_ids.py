"""Numbers of things that went through a type too short to hold them, before an embedding."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

_ENOUGH = 32
"""Different numbers above what the type holds whole: half of them or fewer are multiples as it
rounds them to, so that all are by chance in 1 of 4 billion."""

WHOLE: Mapping[torch.dtype, int] = {torch.bfloat16: 256, torch.float16: 2048}
"""Up to which a type holds every whole number: 2 to the power of its digits."""


class RoundedIds:
    """Collects the numbers that each embedding gets, until one shows that they were not rounded."""

    def __init__(self) -> None:
        self._held: dict[int, dict[torch.dtype, set[int]]] = {}  # all could be, so far

    def see(self, ids: Sequence[tuple[int, Tensor]]) -> float:
        """Up to which number the type holds all that rounded what some embedding got so far; 0 if
        none is known to have.

        Args:
            ids: which embedding, and some of what it got.
        """
        for embedding, numbers in ids:
            self._note(self._held.setdefault(embedding, {each: set() for each in WHOLE}), numbers)
        rounded = [
            WHOLE[dtype]
            for held in self._held.values()
            for dtype, numbers in held.items()
            if len(numbers) >= _ENOUGH
        ]
        return float(min(rounded, default=0))

    def _note(self, held: dict[torch.dtype, set[int]], numbers: Tensor) -> None:
        for dtype, whole in WHOLE.items():
            large = numbers[numbers > whole]
            if dtype not in held or not len(large):
                continue
            if (large.to(dtype).double() == large).all():
                held[dtype].update(torch.unique(large).tolist())
            else:
                del held[dtype]
