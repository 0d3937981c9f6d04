"""SIGTERM before, in and after training."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Protocol

from layerscope.exit_codes import ExitCode


class Terminated(SystemExit):
    """SIGTERM has come; uncaught, it ends the process with 143."""

    def __init__(self) -> None:
        super().__init__(int(ExitCode.TERMINATED))


class _Trainer(Protocol):
    @property
    def received_sigterm(self) -> bool: ...


class Terminable:
    """Within, SIGTERM raises `Terminated`, so that whoever is interrupted can say so.

    Once a trainer has heard it, as Lightning's does while it trains, it raises nothing: Lightning
    ends the training after the step, and nothing measured is lost. A handler that was there
    before is called as well. In another thread than the main one, nothing changes.

    Attributes:
        trainer: of the training that may be under way; None before there is one.
    """

    def __init__(self) -> None:
        self.trainer: _Trainer | None = None
        self._before: signal._HANDLER = None

    def __enter__(self) -> Terminable:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.trainer is not None and self.trainer.received_sigterm:
            return
        if callable(self._before):
            self._before(number, frame)
        raise Terminated


def stopped_by(stop: BaseException) -> tuple[str, ExitCode]:
    """What stopped a run, Ctrl-C or SIGTERM, and the exit code for it."""
    if isinstance(stop, Terminated):
        return "SIGTERM", ExitCode.TERMINATED
    return "Ctrl-C", ExitCode.INTERRUPTED
