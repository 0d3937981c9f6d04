"""How many steps wait for one another, to be written together and to be judged together."""

from __future__ import annotations

from dataclasses import dataclass

_WRITTEN_FIRST, _JUDGED_FIRST, _GROWTH = 16, 256, 3
"""Steps that wait for one another at the start of a run, to be written and to be judged; then it is
so many times as many as came before, up to the following. A look of the judge takes as long for a
thousand steps as for ten. So it does not come earlier: where 256 steps take long, it comes with the
clock, see `Pipeline`."""

_MOST_WRITTEN, _MOST_JUDGED = 256, 1024
"""Steps that are written together, and steps that are judged together."""

_ROWS_WAITING = 1 << 15
"""Measured tensors of all the steps that wait to be written: 27 MB."""

_ROWS_OF_A_DEVICE, _ON_THEIR_WAY = 1 << 11, 4
"""The same where a device trains, and the latest steps, which are left alone, for who looks at them
waits. The host has time between steps there, as it only says what is to be computed: of some
milliseconds at once the device sees nothing, but of the tenth of a second that hundreds of steps of
a large network take it stands still for the most part."""

_FIGURES_WAITING = 1 << 21
"""Figures of all the steps that wait to be judged: 8 MB."""


@dataclass(frozen=True, slots=True)
class BlockSizes:
    """Of one network.

    Attributes:
        most_written: steps that are written together, at most.
        most_judged: steps that are judged together, at most.
        left_alone: the latest steps, which wait on when those before are written.
    """

    most_written: int
    most_judged: int
    left_alone: int = 0

    @classmethod
    def of(cls, rows: int, figures: int, *, arrive_later: bool) -> BlockSizes:
        """For steps of so many measured tensors and figures.

        Args:
            arrive_later: whether they come from a device, while the host goes on.
        """
        most = _ROWS_OF_A_DEVICE if arrive_later else _ROWS_WAITING
        return cls(
            min(1 + most // max(rows, 1), _MOST_WRITTEN),
            min(1 + _FIGURES_WAITING // max(figures, 1), _MOST_JUDGED),
            _ON_THEIR_WAY if arrive_later else 0,
        )

    def to_write(self, before: int) -> int:
        """How many steps make a block, after so many that are written."""
        return _enough(before, _WRITTEN_FIRST, self.most_written)

    def to_judge(self, before: int) -> int:
        """How many steps are judged together, after so many that are judged."""
        return _enough(before, _JUDGED_FIRST, self.most_judged)


NO_WAIT = BlockSizes(1, 1)
"""Where each step is judged at once."""


def _enough(before: int, first: int, most: int) -> int:
    return min(most, max(_GROWTH * before, first))
