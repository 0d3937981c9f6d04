"""What waits reaches the disk on time, though nothing follows: one thread watches the clock."""

import logging
import os
import threading
from typing import Protocol
from weakref import WeakKeyDictionary

_log = logging.getLogger("layerscope")

_LONGEST = 3600.0  # of "never": a wait without an end is refused by some systems
_SHORTEST = 0.05  # seconds from one look to the next: a thread that spins would cost the training


class Flushable(Protocol):
    """Something in which records wait."""

    def flush_on_time(self) -> None:
        """Hand on what waits, in the clock's thread; raises nothing."""


class _FlushClock:
    """Asks all that are kept to flush, twice in the shortest of their times."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kept: WeakKeyDictionary[Flushable, float] = WeakKeyDictionary()
        self._thread: threading.Thread | None = None

    def keep(self, flushable: Flushable, seconds: float) -> None:
        with self._changed:
            self._kept[flushable] = max(seconds / 2, _SHORTEST)
            if self._thread is None:
                self._start()
            self._changed.notify()

    def _start(self) -> None:
        thread = threading.Thread(target=self._watch, name="layerscope flush clock", daemon=True)
        try:
            thread.start()
            self._thread = thread
        except RuntimeError as error:  # the user may have as many processes as the system allows
            _log.warning("a record reaches the disk only with the next step: %s", error)

    def forget(self, flushable: Flushable) -> None:
        with self._changed:
            self._kept.pop(flushable, None)
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                if not self._kept:
                    self._thread = None
                    return
                # They may all have gone since the question above: they are held weakly.
                if self._changed.wait(min((*self._kept.values(), _LONGEST))):
                    continue  # another one is kept or forgotten: the times are others
            self._flush()

    def _flush(self) -> None:
        with self._changed:
            kept = list(self._kept)
        for each in kept:
            each.flush_on_time()


_clock = _FlushClock()


def keep_on_time(flushable: Flushable, seconds: float) -> None:
    """See that what waits in it is flushed within `seconds`, or 0.1 if they are less.

    It is held weakly, until `forget`. A step of the training pays nothing for it: the thread wakes
    twice in that time. A forked child has no such thread before it keeps something of its own.
    """
    _clock.keep(flushable, seconds)


def forget(flushable: Flushable) -> None:
    """Leave it to itself; nothing happens if it is not kept."""
    _clock.forget(flushable)


def _start_anew() -> None:
    global _clock  # threads do not come along into a forked child
    _clock = _FlushClock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
