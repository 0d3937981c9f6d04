"""What measuring costs, and how seldom it must be done to stay within a share of the time."""

import math
import statistics
import sys
import time
from collections import deque

_WARM_UP = 2  # measured steps that compile kernels and open files
_TIMED_AT_FIRST, _TIMED_EVERY = 8, 10
_REMEMBERED = 5


class Stopwatch:
    """Times the monitor: a sample of its steps whole, hooks and all, and what it writes always.

    Host time: what a device does meanwhile is in the step's time alone. The call of a hook by
    torch, about a microsecond, is not seen.

    Args:
        budget: the share of the time that measuring may take; None: any.

    Attributes:
        interval: measure every interval-th step to keep to the budget.
        timing: whether the step that goes on is timed.
    """

    def __init__(self, budget: float | None) -> None:
        self._budget = budget
        self.interval = 1
        self.timing = False
        self._measured = 0
        self._began = math.nan
        self._spent = 0.0
        self._own = 0.0  # outside of hooks, over all measured steps
        self._costs: deque[float] = deque(maxlen=_REMEMBERED)
        self._others: deque[float] = deque(maxlen=_REMEMBERED)
        self._news = (math.nan, math.nan)

    def begin(self, measuring: bool) -> bool:
        """A training step begins, and the last one has ended; whether to time this one's hooks."""
        now = time.perf_counter()
        if self.timing and not math.isnan(self._began):
            self._end(now - self._began)
        self.timing = False
        if measuring:
            self._measured += 1
            if self._measured == _WARM_UP + 1:
                self._own = 0.0
            early = _WARM_UP < self._measured <= _TIMED_AT_FIRST
            self.timing = early or self._measured % _TIMED_EVERY == 0
        self._began = now
        self._spent = 0.0
        return self.timing

    def add(self, seconds: float) -> None:
        """Count what measuring took outside of hooks, in a step that is timed or not."""
        self._own += seconds

    def add_hooks(self, seconds: float) -> None:
        """Count what the hooks took in a step that is timed."""
        self._spent += seconds

    def _end(self, whole: float) -> None:
        cost = self._spent + self._own / max(self._measured - _WARM_UP, 1)
        self._news = (cost * 1e3, whole * 1e3)
        self._costs.append(cost)
        self._others.append(max(whole - cost, 1e-9))
        if self._budget is not None and len(self._costs) > 2:
            share = self._budget / (1 - self._budget) if self._budget < 1 else math.inf
            ratio = statistics.median(self._costs) / statistics.median(self._others)
            self.interval = max(1, math.ceil(min(ratio / share, sys.maxsize)))

    def news(self) -> tuple[float, float]:
        """Milliseconds that measuring took of the step timed last, and of that step as a whole;
        NaN if that was told before.
        """
        news, self._news = self._news, (math.nan, math.nan)
        return news
