"""Ctrl-C and SIGTERM before, in and after training."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import NoReturn

from layerscope.exit_codes import ExitCode

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Terminated(SystemExit):
    """SIGTERM has come; uncaught, it ends the process with 143."""

    def __init__(self) -> None:
        super().__init__(int(ExitCode.TERMINATED))


class Terminable:
    """Within, Ctrl-C raises KeyboardInterrupt and SIGTERM raises `Terminated`, so that whoever is
    interrupted can say so.

    While a training `waits`, the first of them raises nothing: it is `asked`, and the training ends
    after the step that goes on. The second one raises at once. A handler for SIGTERM that was there
    before is called as well. In another thread than the main one, nothing changes.

    Attributes:
        waits: whether somebody looks at `asked` after each step.
        asked: what the training is to end with; None as long as nothing has come.
    """

    def __init__(self) -> None:
        self.waits = False
        self.asked: BaseException | None = None
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Terminable:
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        self.take_over()
        return self

    def take_over(self) -> None:
        """Handle the signals, whoever has begun to do so meanwhile, as Lightning does."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self._handle)

    def __exit__(self, *raised: object) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        stop = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
        if self.waits and self.asked is None:
            self.asked = stop
            # Not print: the signal may have come in the middle of one.
            os.write(2, b"\nstopping after this step; the same again stops now\n")
            return
        before = self._before.get(number)
        if number == signal.SIGTERM and callable(before) and before is not _exit:
            before(number, frame)
        raise stop


def stopped_by(stop: BaseException) -> tuple[str, ExitCode]:
    """What stopped a run, Ctrl-C or SIGTERM, and the exit code for it."""
    if isinstance(stop, Terminated):
        return "SIGTERM", ExitCode.TERMINATED
    return "Ctrl-C", ExitCode.INTERRUPTED


def exit_when_stopped() -> None:
    """From now on Ctrl-C and SIGTERM end the process with 130 and 143, without a traceback.

    For the seconds in which a command imports what it needs, and has nothing to tell yet.
    """
    for number in _SIGNALS:
        signal.signal(number, _exit)


def _exit(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
