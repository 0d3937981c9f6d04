"""A run's folder belongs to one process at a time: an exclusive lock that dies with it."""

import atexit
import errno
import json
import logging
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from layerscope.process_identity import ProcessIdentity
from layerscope.whole_file import read_json

if sys.platform != "win32":
    import fcntl

NAME = ".lock"
"""The file in a run's folder that is locked; it says who holds it, or held it when it died."""

_log = logging.getLogger("layerscope")

_TAKEN = {errno.EWOULDBLOCK, errno.EACCES}
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}

_mutex = threading.Lock()


class FolderTakenError(ValueError):
    """Another process writes to the folder."""


class RunLock:
    """Holds a folder for this process until `release`, or the end of the process, however it ends.

    The lock is `flock`'s. A process may hold a folder several times, as a command and the monitor
    in it do: it is free when all are released. A forked child, such as a loader's worker, does not
    hold it. All spellings of a folder are the same. On Linux `flock` holds over NFS too, between
    machines. Where a file system knows no locks, which is logged, and on Windows nothing is locked.

    Args:
        folder: there is one.

    Raises:
        FolderTakenError: another process holds it.
        OSError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._place: str | None = os.path.realpath(folder)
        with _mutex:
            lock = _held.get(self._place)
            if lock is None or not lock.is_there():
                lock = _held[self._place] = _LockFile(folder)
            lock.holders += 1

    def release(self) -> None:
        """Let go of the folder; a second call does nothing."""
        place, self._place = self._place, None
        with _mutex:
            lock = None if place is None else _held.get(place)
            if place is None or lock is None:
                return
            lock.holders -= 1
            if not lock.holders:
                _held.pop(place).remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.release()


class _LockFile:
    """The file, open and locked."""

    def __init__(self, folder: Path) -> None:
        self.holders = 0
        self._folder = folder  # as the user has spelled it
        self._path = Path(os.path.abspath(folder)) / NAME  # wherever the process goes
        while True:
            self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                self._lock()
                if self.is_there():  # else whoever held it has removed it meanwhile
                    break
            except BaseException:
                os.close(self.descriptor)
                raise
            os.close(self.descriptor)
        os.ftruncate(self.descriptor, 0)
        os.write(self.descriptor, json.dumps(ProcessIdentity.own().as_json()).encode())

    def _lock(self) -> None:
        if sys.platform == "win32":
            return
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            folder = self._folder
            if error.errno in _TAKEN:
                raise FolderTakenError(being_written(folder, holder_of(folder))) from None
            if error.errno not in _NO_LOCKS:
                raise
            _log.warning(
                "%s cannot be locked (%s): nothing will keep a second run out of it",
                folder,
                error.strerror,
            )

    def is_there(self) -> bool:
        """Whether the folder has it still: it may have been removed and made again."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), os.stat(self._path))
        except OSError:
            return False

    def remove(self) -> None:
        """Remove it, then let go of it."""
        if self.is_there():
            with suppress(OSError):
                self._path.unlink()
        os.close(self.descriptor)


def holder_of(folder: Path) -> ProcessIdentity | None:
    """Who holds a folder, or held it when it was killed; None if nobody, or nobody knows."""
    try:
        return ProcessIdentity.of_json(read_json(folder / NAME))
    except (OSError, ValueError):
        return None


def being_written(folder: Path, holder: ProcessIdentity | None) -> str:
    """The sentence on a folder that another process holds."""
    who = "" if holder is None else f", {holder.pid} on {holder.host}"
    return f"{folder} is being written by another process{who}"


_held: dict[str, _LockFile] = {}  # by the folder's real path


@atexit.register
def _remove_all() -> None:
    """No file is left behind by whoever held a folder to the end."""
    while _held:
        _held.popitem()[1].remove()


def _forget() -> None:
    """In a forked child: the parent holds on, since closing a copy lets go of nothing."""
    for lock in _held.values():
        os.close(lock.descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_mutex.acquire,
        after_in_parent=_mutex.release,
        after_in_child=lambda: (_forget(), _mutex.release()),  # type: ignore[func-returns-value]
    )
