"""One TensorBoard event file, written fast enough for every training step."""

import atexit
import errno
import itertools
import logging
import math
import os
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from io import FileIO
from pathlib import Path
from typing import NoReturn, Self

from layerscope.events import flush_clock
from layerscope.events.columns import SESSION_START
from layerscope.events.framing import OVERHEAD, frame
from layerscope.events.wire import field, varint

_BUFFER_BYTES = 1 << 18  # what waits for a flush stays in the processor's cache
_MAX_STEP = 2**63 - 1  # Event.step is an int64

_WALL_TIME_THEN_STEP = struct.Struct("<BdB")  # both keys in place: fields 1 (double) and 2 (varint)
_SUMMARY_KEY = b"\x2a"  # field 5, length-delimited

_log = logging.getLogger("layerscope")

_opened = itertools.count()  # tells apart the files that one process opens within a second
_STAMP = re.compile(r"tfevents\.(\d{10})\.")


def _time_after(directory: Path) -> int:
    """Seconds since 1970, later than the names of the event files in a folder: the clock may have
    been set back since, or no second have passed, and what goes on comes last.
    """
    stamps = [_STAMP.search(path.name) for path in directory.glob("*tfevents*")]
    return max(int(time.time()), *(int(stamp[1]) + 1 for stamp in stamps if stamp), 0)


class EventFile:
    """An event file of its own name in `directory`, for one process to append to.

    The directory is made at once; the file, `events.out.tfevents.<time>.<host>.<pid>.<n>`,
    at the first `add`, so that nothing is left behind where nothing was logged.

    A record is never torn by our own buffering: whole records are collected and handed to the
    operating system in one write, when 256 KiB wait, when `flush_seconds` have passed, whether an
    `add` follows or not (see `flush_clock`), and at `close`. If that write fails (a full disk), the
    file is cut back to its last whole record and the error is raised; so is one if the file was
    removed, by the next call if it was
    the clock that flushed: what was to be written is lost, what follows is readable. Several
    threads may add to it.

    Each file says that a session starts: TensorBoard's slow loader takes the first such word for
    the beginning, and passes over what a resumed run has abandoned only at a second one.

    Closed at the end of a `with`, also on an exception; flushed when the interpreter exits. It is
    one process's: in a forked child `add` and `flush` raise RuntimeError and `close` writes
    nothing; copying and pickling raise TypeError.

    Costs about 3 us an event and 0.2 us for each histogram of 30 buckets in it, 424 bytes.

    Args:
        directory: the run's folder, which TensorBoard shows as one run.
        flush_seconds: the longest that an event waits, >= 0.
        clock: seconds, monotonic; for tests.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        flush_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not flush_seconds >= 0:
            raise ValueError(f"flush_seconds must be at least 0, got {flush_seconds}")
        self._pid = os.getpid()
        # Zero-padded, because readers take the files of a run in the order of their names.
        stamp = f"{_time_after(Path(directory)):010d}"
        name = f"{stamp}.{socket.gethostname()}.{self._pid}.{next(_opened):04d}"
        self.path = Path(directory) / f"events.out.tfevents.{name}"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._flush_seconds = flush_seconds
        self._clock = clock
        self._file: FileIO | None = None
        self.closed = False
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._whole_bytes = 0  # in the file, up to its last whole record
        self._flushed_at = clock()
        self._failed: Exception | None = None  # when the clock flushed
        self._lock = threading.RLock()

    def add(
        self, step: int, values: Sequence[bytes | memoryview], wall_time: float | None = None
    ) -> None:
        """Append one event at `step`, 0 to 2**63 - 1, with all of `values`; none writes nothing.

        Each value is a Summary.value field, or several in a row, as `layerscope.events.encoders`
        makes them. `wall_time` is in seconds since 1970 and defaults to now.

        Raises:
            ValueError: the file is closed.
        """
        self.add_all([(step, values, time.time() if wall_time is None else wall_time)])

    def add_all(self, events: Iterable[tuple[int, Sequence[bytes | memoryview], float]]) -> None:
        """Append events as `add` does, each of (step, values, wall_time), one after the other: each
        is written before the next is asked for.
        """
        self._check()
        with self._lock:
            for step, values, wall_time in events:
                if not 0 <= step <= _MAX_STEP:
                    raise ValueError(f"step must be between 0 and 2**63 - 1, got {step}")
                if not values:
                    continue
                if self._file is None:
                    self._open()
                size = varint(sum(map(len, values)))
                head = _WALL_TIME_THEN_STEP.pack(0x09, wall_time, 0x10)
                self._append(b"".join((head, varint(step), _SUMMARY_KEY, size, *values)))
                if (
                    self._pending_bytes >= _BUFFER_BYTES
                    or self._clock() - self._flushed_at >= self._flush_seconds
                ):
                    self._flush()

    def restart(self, step: int) -> None:
        """Say that a run goes on at `step`: what its earlier files say of this step and later ones
        was abandoned. TensorBoard and our reader then pass over it.
        """
        self._check()
        with self._lock:
            if self._file is None:
                self._open()
            self._append_start(step)

    def _append_start(self, step: int) -> None:
        head = _WALL_TIME_THEN_STEP.pack(0x09, time.time(), 0x10)
        self._append(b"".join((head, varint(step), field(7, SESSION_START))))

    def flush(self) -> None:
        """Hand all whole records to the operating system, in one write; the next one follows at
        once: the loss of a checkpoint's step is logged after the checkpoint.
        """
        self._check()
        with self._lock:
            self._flush()
            self._flushed_at = -math.inf

    def flush_on_time(self) -> None:
        """The same, for `flush_clock`: what goes wrong is raised by the next call."""
        with self._lock:
            if self._pending and not self.closed:
                try:
                    self._flush()
                except Exception as error:
                    self._failed = error

    def _flush(self) -> None:
        self._flushed_at = self._clock()
        if self._file is None:
            return
        if not self._pending:
            return
        data = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except BaseException:  # an interrupt between two writes tears a record as a full disk does
            self._file.seek(self._whole_bytes)
            self._file.truncate()
            raise
        self._whole_bytes += len(data)
        if not os.path.exists(self.path):  # what is written to it goes nowhere
            raise FileNotFoundError(errno.ENOENT, "the event file was removed", str(self.path))

    def close(self) -> None:
        """Flush and close; a second call does nothing."""
        if self.closed:
            return
        try:
            if os.getpid() == self._pid:
                self.flush()
        finally:
            self.closed = True
            flush_clock.forget(self)
            atexit.unregister(self._flush_at_exit)
            if self._file is not None:
                self._file.close()

    def _flush_at_exit(self) -> None:
        # Not close: whoever writes to the file may have something left, and runs after this.
        if not self.closed and os.getpid() == self._pid:
            try:
                self.flush()
            except OSError as error:
                _log.error("%s: what was written to it last is lost: %s", self.path, error.strerror)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an EventFile is one process's open file and cannot be copied or pickled")

    def _open(self) -> None:
        self._file = FileIO(self.path, "xb")
        atexit.register(self._flush_at_exit)
        self._append(b"\x09" + struct.pack("<d", time.time()) + field(3, b"brain.Event:2"))
        self._append_start(_MAX_STEP)  # nothing comes later: this makes nothing void
        if self._flush_seconds:
            flush_clock.keep_on_time(self, self._flush_seconds)
        self._flush()  # TensorBoard finds the run, however long the first step takes

    def _append(self, payload: bytes) -> None:
        self._pending += frame(payload)
        self._pending_bytes += len(payload) + OVERHEAD

    def _check(self) -> None:
        if self.closed or os.getpid() != self._pid:
            self._refuse()
        if self._failed is not None:
            error, self._failed = self._failed, None
            raise error

    def _refuse(self) -> NoReturn:
        if self.closed:
            raise ValueError(f"the event file {self.path} is closed")
        raise RuntimeError(f"the event file {self.path} belongs to process {self._pid}, not a fork")
