"""Do targets grow as a network learns, as those that it has a part in making?"""

import numpy as np

from layerscope.diagnose.measured.figures import Values

_LOOKS = 4
"""At the start, and at the end: one batch of what is rare has large targets, four in a row have it
not."""

_TIMES = 1.5


class TargetGrowth:
    """Follows the size of an error's targets over a run, look by look.

    The targets of a supervised task are what they are. Those of a value that is learned from itself
    (Sutton and Barto 2018, Reinforcement Learning, section 6.5) grow with what the agent earns, by
    up to 1 / (1 - discount) times, and gradients and losses with them.
    """

    def __init__(self) -> None:
        self._first: list[float] = []
        self._last: list[float] = []

    def follow(self, sizes: Values) -> None:
        """Take in the targets' root mean squares of further steps; NaN where there was no look."""
        known = sizes[~np.isnan(sizes)].tolist()
        if known:
            self._first = (self._first + known)[:_LOOKS]
            self._last = (self._last + known)[-_LOOKS:]

    @property
    def has_been(self) -> bool:
        """Whether the smallest of the last few is half as large again as the largest of the first.

        >>> growth = TargetGrowth()
        >>> growth.follow(np.array([1.0, 9.0, 1.0, 1.0, np.nan, 10.0, 10.0, 10.0, 1.0]))
        >>> growth.has_been  # some batches have large targets
        False
        >>> growth.follow(np.array([14.0, 15.0, 16.0, 17.0]))
        >>> growth.has_been
        True
        """
        return len(self._first) == _LOOKS and min(self._last) > _TIMES * max(self._first)

    def state(self) -> list[list[float]]:
        """All of it, as plain types."""
        return [list(self._first), list(self._last)]

    def load_state(self, state: list[list[float]]) -> None:
        """Be as `state` was."""
        self._first, self._last = (list(each) for each in state)
