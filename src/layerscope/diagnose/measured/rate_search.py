"""When did a run search for its learning rate?"""

from collections.abc import Sequence

import numpy as np

from layerscope.diagnose.measured.figures import Flags, Steps, Values

AFTER = 25
"""Steps on that a window of 20 losses still has some of the search's."""

_RISES, _RANGE = 20, 100.0
"""Rises by the same factor in a row, and how much they make together: a warm-up rises by the same
summand, and few by a hundredfold."""

_ALIKE = 0.05
"""Of a factor's logarithm: two that differ by less are the same."""

_FALL = 0.1
"""Of the rate at its end, to which it falls at once. A rate that is multiplied in each step by
mistake never falls back."""

_MOST = 16
"""Searches of a run."""


class RateSearch:
    """Follows the learning rate: where it rose by the same factor in each step, far, and then fell
    back at once, the loss's rise is what the search is for (Smith 2017, Cyclical learning rates for
    training neural networks, section 3.3; as in fastai's and Lightning's `lr_find`).
    """

    def __init__(self) -> None:
        # Of the present rise: its first step and rate, the last step, rate and factor, its length.
        self._first, self._lowest = 0, np.nan
        self._last, self._rate, self._factor, self._rises = 0, np.nan, np.nan, 0
        self._found: list[tuple[int, int]] = []

    def follow(self, steps: Steps, rates: Values) -> Flags:
        """Take in further steps' rates, NaN where they are not known; whether a search was over
        when each began, for the first time, bool [steps].
        """
        over = np.zeros(len(rates), bool)
        known = np.flatnonzero(~np.isnan(rates))
        if len(known) and not self._rises and (rates[known] == self._rate).all():
            return over
        for row in known.tolist():
            over[row] = self._take(int(steps[row]), float(rates[row]))
        return over

    def _take(self, step: int, rate: float) -> bool:
        last, self._rate = self._rate, rate
        if not last > 0 or not rate > last:
            is_over = (
                self._rises >= _RISES and rate <= _FALL * last >= _FALL * _RANGE * self._lowest
            )
            if is_over:
                self._found = [*self._found, (self._first, self._last)][-_MOST:]
            self._rises, self._last = 0, step
            return is_over
        factor = np.log(rate / last)
        if not self._rises or abs(factor - self._factor) > _ALIKE * self._factor:
            self._first, self._lowest, self._factor, self._rises = self._last, last, factor, 0
        self._rises, self._last = self._rises + 1, step
        return False

    def around(self, first: int, last: int) -> tuple[int, int] | None:
        """The search in which the first of two steps lies, if the last is within it, or AFTER it;
        else None.

        >>> search, rates = RateSearch(), np.append(1e-5 * 1.5 ** np.arange(30), 1e-3)
        >>> search.follow(np.arange(31), rates)[29:].tolist()
        [False, True]
        >>> [search.around(*each) for each in ((12, 29), (12, 60), (30, 40))]
        [(0, 29), None, None]
        """
        found = (each for each in self._found if each[0] <= first <= each[1])
        return next((each for each in found if last <= each[1] + AFTER), None)

    def state(self) -> list[list[float]]:
        """All of it, as plain types."""
        rise = [self._first, self._lowest, self._last, self._rate, self._factor, self._rises]
        return [rise, *([float(begin), float(end)] for begin, end in self._found)]

    def load_state(self, state: Sequence[Sequence[float]]) -> None:
        """Be as `state` was."""
        (first, self._lowest, last, self._rate, self._factor, rises), *found = state
        self._first, self._last, self._rises = int(first), int(last), int(rises)
        self._found = [(int(begin), int(end)) for begin, end in found]
