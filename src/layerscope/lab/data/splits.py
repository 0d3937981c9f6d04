"""Items divided into training, validation and test."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from layerscope.arguments import at_least, at_most


@dataclass(frozen=True)
class Splits:
    """The items of each split."""

    train: list[str]
    val: list[str]
    test: list[str]


def split_80_10_10(items: Iterable[str], seed: int, source: object) -> Splits:
    """Shuffle the different items by `seed` and cut at 80 % and 90 %.

    An item given twice counts once: otherwise copies of it could be on both sides of a cut, and
    the validation loss would measure memory. The items are sorted first, so the split depends on
    what they are and on the seed, not on the order of the lines.

    Raises:
        ValueError: a split would be empty (fewer than 6 different items), or the seed is below 0 or
            above 2**63 - 1; the sentence names `source`.
    """
    at_least(0, split_seed=seed)
    at_most(2**63 - 1, split_seed=seed)
    different = sorted(set(items))
    count = len(different)
    first_cut, second_cut = count * 8 // 10, count * 9 // 10
    if not 0 < first_cut < second_cut < count:
        raise ValueError(
            f"{source} must hold at least 6 different items, so that no split of 80/10/10 is "
            f"empty, got {count}"
        )
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    shuffled = [different[index] for index in order]
    return Splits(shuffled[:first_cut], shuffled[first_cut:second_cut], shuffled[second_cut:])
