"""Numbers that stand for things: one token nearly everywhere, or numbers that were rounded."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from layerscope.figures.kept_between_looks import KeptBetweenLooks

Tokens = npt.NDArray[np.int64]

_NEARLY_ALL = 0.9
_LOOKED_AT, _ROWS = 2048, 4
"""Tokens: whole rows, and so many of them at least: of fewer it is not seen where others stand."""

_ENOUGH = 100
"""Tokens, padding left out."""

_OTHERS = 4
"""Other tokens, at least: of two or three one may well be rare."""

_INSIDE = 0.25
"""Of the tokens from a row's first other one to its last; padding stands behind it, or before."""

_MANY = 0.25
"""Of the rows, that padding ends, or begins."""

_MIXED = 0.5
"""Of the columns that would have others if these stood anywhere: a sequence may begin with a
message and wait from then on, as in the copying task of Hochreiter and Schmidhuber 1997."""


def commonest_token(tokens: Sequence[Tokens]) -> float:
    """Largest share that one token has of all, padding left out, in any of the matrices
    [rows, columns]; NaN where it is below 0.9, where there are too few, or where it may be padding.
    """
    few = (each[: max(_ROWS, _LOOKED_AT // each.shape[1]), :_LOOKED_AT] for each in tokens)
    return float(np.fmax.reduce([np.nan, *map(_share, few)]))


def _share(tokens: Tokens) -> float:
    numbers, counts = np.unique(tokens, return_counts=True)
    most = np.argsort(counts)[:-3:-1]  # one of them may be padding
    if counts[most].sum() < _NEARLY_ALL * tokens.size:
        return np.nan
    for common in numbers[most]:
        is_common = tokens == common
        is_read = ~_ends(tokens, common)
        others = is_read & ~is_common
        inside = _from_first_to_last(others) & (others.sum(1) > 1)[:, np.newaxis]
        if not inside.any() or is_common[inside].mean() < _INSIDE:  # it is padding
            continue
        share = float(is_common[is_read].mean())
        are_enough = is_read.sum() >= _ENOUGH and len(np.unique(tokens[others])) >= _OTHERS
        expected = (1 - share ** is_read.sum(0)).sum()
        is_mixed = len(tokens) >= _ROWS and others.any(0).sum() >= _MIXED * expected
        return share if are_enough and is_mixed and share >= _NEARLY_ALL else np.nan
    return np.nan


def _ends(tokens: Tokens, common: np.int64) -> npt.NDArray[np.bool_]:
    """Where one token other than the commonest stands in a run at the same end of many rows."""
    found = np.zeros(tokens.shape, bool)
    for side in (slice(None, None, -1), slice(None)):
        seen = tokens[:, side]
        numbers, counts = np.unique(seen[:, 0][seen[:, 0] != common], return_counts=True)
        if len(numbers) and counts.max() >= _MANY * len(seen):
            run = np.logical_and.accumulate(seen == numbers[counts.argmax()], axis=1)
            found[:, side] |= run
    return found


def _from_first_to_last(others: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    after = np.logical_or.accumulate(others, axis=1)
    before = np.logical_or.accumulate(others[:, ::-1], axis=1)[:, ::-1]
    return after & before


_LARGE_IDS = 32
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
            if len(numbers) >= _LARGE_IDS
        ]
        return float(min(rounded, default=0))

    def _note(self, held: dict[int, list[int]], numbers: Tensor) -> None:
        for dtype, whole in WHOLE.items():
            large = numbers[numbers > whole]
            if whole not in held or not len(large):
                continue
            if not (large.to(dtype).double() == large).all():
                del held[whole]
            elif len(held[whole]) < _LARGE_IDS:
                seen = torch.tensor(held[whole], dtype=large.dtype, device=large.device)
                held[whole] = torch.unique(torch.cat([seen, large]))[:_LARGE_IDS].tolist()
