"""Which of the tensors that were held have been changed in place since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter, is_
from typing import Any

from torch import Tensor

Given = Sequence[tuple[Tensor, int]]
"""Tensors that a layer was given, and their versions when it was called."""

# How a row's tensors are held: copied, while it is not known whether somebody changes them in
# place; as they are; copied, since somebody does.
WATCHED, REFERRED, COPIED = range(3)

# Row, what is measured, what the network has, its version and address, row and axis of its units,
# what its layer was given.
Entry = tuple[int, Tensor, Tensor, int, int, int, int, Given | None]

WIDTH = 8
"""Of an entry, where entries lie one behind the other."""


@dataclass(frozen=True, slots=True)
class Unusual:
    """What was found when held tensors were measured.

    Attributes:
        lost: rows of which a tensor was changed in place after it had been held, though none had
            been before: the next reading holds nothing of them.
        not_finite: (row, what the layer was given) of the first tensor of each row that is not
            finite; of those that were held with what their layer was given.
    """

    lost: Sequence[int] = ()
    not_finite: Sequence[tuple[int, Given]] = ()

    def __add__(self, later: Unusual) -> Unusual:
        """What was found, and what was found later; of a row the first that is not finite."""
        known = {row for row, _ in self.not_finite}
        new = [each for each in later.not_finite if each[0] not in known]
        return Unusual((*self.lost, *later.lost), (*self.not_finite, *new))


def rows_changed(entries: Iterable[Entry], how: bytearray) -> list[int]:
    """Learn which rows are changed in place; return those that are lost, since nobody knew.

    Args:
        how: of each row, how its tensors are held: what was learnt is noted there.
    """
    lost: list[int] = []
    watched: list[int] = []
    for row, measured, own, version, address, _, _, _ in entries:
        if own._version != version or own.data_ptr() != address:
            if measured is own:
                lost.append(row)
            how[row] = COPIED
        elif measured is not own:
            watched.append(row)
    for row in watched:
        if how[row] == WATCHED:
            how[row] = REFERRED
    return lost


_version: Callable[[Tensor], int] = attrgetter("_version")


def are_unchanged(numbers: list[Any]) -> bool:
    """Whether entries, one behind the other, are all held as they are, and have not been changed:
    by far the most common, and asked of all at once in half the time.
    """
    own = numbers[2::WIDTH]
    return (
        all(map(is_, numbers[1::WIDTH], own))
        and list(map(_version, own)) == numbers[3::WIDTH]
        and list(map(Tensor.data_ptr, own)) == numbers[4::WIDTH]
    )


def entries_of(numbers: list[Any]) -> Iterator[Entry]:
    """The entries that lie one behind the other in a list."""
    each = iter(numbers)
    return zip(*[each] * WIDTH, strict=True)


def one_behind_the_other(entries: Iterable[Entry]) -> list[Any]:
    """The list in which entries lie so."""
    return [each for entry in entries for each in entry]
