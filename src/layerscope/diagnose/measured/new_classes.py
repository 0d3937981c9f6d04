"""When did targets of classes come that had never come before?"""

from collections.abc import Sequence

import numpy as np

from layerscope.diagnose.measured.figures import Steps, Values

SOON = 5
"""Losses from the look that shows them on, by which their own level is known."""

_MOST = 64
"""Tasks that follow each other."""


class NewClasses:
    """Follows the looks at a run's targets: between which two of them new classes came.

    A network that has learned some classes is sure that a new one is one of those: its loss leaps
    by as much as its logits are large (class-incremental learning, van de Ven and Tolias 2019,
    Three scenarios for continual learning), and its gradient with it.
    """

    def __init__(self) -> None:
        self._last_look = -1
        self._came: list[tuple[int, int]] = []

    def follow(self, steps: Steps, new: Values) -> None:
        """Take in the shares of new classes among further steps' targets; NaN without a look."""
        for row in np.flatnonzero(~np.isnan(new)).tolist():
            step = int(steps[row])
            if new[row] > 0:
                self._came = [*self._came, (self._last_look, step)][-_MOST:]
            self._last_look = step

    def seen_for(self, step: int, within: int = SOON) -> int | None:
        """The look that showed new classes, if this step lies no earlier than the look before it
        and no more than so many steps behind it; else None. Of several batches in a step, as of one
        that takes a measure of the classes before, a look sees one.

        >>> classes = NewClasses()
        >>> classes.follow(np.array([10, 11, 20]), np.array([0.0, np.nan, 0.4]))
        >>> [classes.seen_for(step) for step in (9, 10, 20, 25, 26)]
        [None, 20, 20, 20, None]
        """
        inside = (seen for before, seen in self._came if before <= step <= seen + within)
        return next(inside, None)

    def state(self) -> list[list[int]]:
        """All of it, as plain types."""
        return [[self._last_look], *(list(each) for each in self._came)]

    def load_state(self, state: Sequence[Sequence[int]]) -> None:
        """Be as `state` was."""
        (self._last_look,), *came = state
        self._came = [(before, seen) for before, seen in came]
