"""Characters as indices, for any alphabet."""

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

BOUNDARY = 0
"""The index that pads the context before an item and is the target after its last character."""


class Vocabulary:
    """The sorted characters (Unicode code points) of some items, numbered from 1; 0 is a boundary.

    The boundary is an index, not a character: it is shown as '.', as in the course, and never read
    from text. So an item may hold a '.', which then has an index of its own.

    >>> vocabulary = Vocabulary(["emma", "a.b"])
    >>> vocabulary.characters, len(vocabulary)
    ('.abem', 6)
    >>> vocabulary.encode("emma")
    [4, 5, 5, 2]
    >>> vocabulary.decode([0, 0, 4, 5])
    '..em'
    """

    def __init__(self, items: Iterable[str]) -> None:
        self.characters = "".join(sorted(set().union(*items)))

    def __len__(self) -> int:
        """Return the number of indices: one for each character and one for the boundary."""
        return len(self.characters) + 1

    def encode(self, item: str) -> list[int]:
        """Return the indices of an item's characters, without boundaries.

        Raises:
            ValueError: a character is not in the vocabulary.
        """
        try:
            return [self._index[character] for character in item]
        except KeyError as error:
            raise ValueError(f"{error.args[0]!r} in {item!r} is not in the vocabulary") from None

    def encode_all(self, items: Sequence[str]) -> NDArray[np.int64]:
        """Return the indices of all characters of all items, one after the other, in one pass."""
        return np.searchsorted(_code_points(self.characters), _code_points("".join(items))) + 1

    def decode(self, indices: Iterable[int]) -> str:
        """Return the characters at these indices; a boundary reads '.'."""
        symbols = "." + self.characters
        return "".join(symbols[index] for index in indices)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {character: index for index, character in enumerate(self.characters, start=1)}


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
