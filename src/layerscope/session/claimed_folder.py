"""The folder that a session writes to: its own as long as it is open, and of one run."""

import logging
import os
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from layerscope.run_lock import FolderTakenError, RunLock, being_written, holder_of
from layerscope.session.door import Door
from layerscope.sinks.tensorboard import KEYFRAMES

_log = logging.getLogger("layerscope")

_open: set[str] = set()  # real paths of the folders of this process's open sessions
_written: set[str] = set()  # and of all that it ever had


class EarlierRunError(FolderTakenError):
    """The folder holds a run that is over."""


@dataclass(frozen=True, slots=True)
class ClaimedFolder:
    """A folder that nobody else writes to until it is released.

    Attributes:
        path: of the folder, which is there.
    """

    path: Path
    lock: RunLock

    def release(self) -> None:
        """Leave the folder to others; a second call does nothing."""
        _open.discard(os.path.realpath(self.path))
        self.lock.release()


def claim(folder: Path, door: Door, *, resumes: bool = False, named: bool = True) -> ClaimedFolder:
    """Claim a folder for a session, and make it if need be.

    A folder is taken if another process writes to it, an open session of this one does, or it holds
    a run and the session does not resume it. Where nobody has named it, or this process has written
    the run in it, as a notebook's cell that runs twice, the session gets the next free name: _2, _3
    and so on, or run_2 in the working folder; it is logged.

    Args:
        folder: an absolute path.
        resumes: whether the session goes on with the run in the folder.
        named: whether the user has named the folder.

    Raises:
        ValueError: it is taken, and was named.
        OSError: it cannot be made or written to.
    """
    may_move = os.path.realpath(folder) in _written or not (named or resumes)
    first = ""
    for number in count(1):
        candidate = folder if number == 1 else _named(folder, number)
        try:
            claimed = _claimed(candidate, door, resumes, exist_ok=number == 1 or resumes)
        except FolderTakenError as taken:
            first = first or str(taken)
            if may_move:
                continue
            way_out = ""
            if isinstance(taken, EarlierRunError):
                way_out = "; choose another folder, or resume that run"
            raise ValueError(f"log_dir must be a folder that is free: {taken}{way_out}") from None
        if first:
            _log.warning("%s: %s; this one is written to %s", door.name, first, candidate)
        return claimed
    raise AssertionError("count has no end")


def _named(folder: Path, number: int) -> Path:
    if Path.cwd().is_relative_to(folder):  # the project itself, say: no place for a sibling
        return folder / f"run_{number}"
    return folder.with_name(f"{folder.name}_{number}")


def holds_run(folder: Path) -> bool:
    """Whether a session has written steps to a folder."""
    return any((folder / KEYFRAMES).glob("*tfevents*"))


def _claimed(folder: Path, door: Door, resumes: bool, exist_ok: bool) -> ClaimedFolder:
    place = os.path.realpath(folder)
    if place in _open:
        raise FolderTakenError(f"{folder} is being written by another {door.name}")
    if not resumes and holds_run(folder):
        holder = holder_of(folder)  # asked before the lock, which would forget who has died
        if holder is not None and holder.pid != os.getpid() and not holder.has_ended:
            raise FolderTakenError(being_written(folder, holder))
        raise EarlierRunError(f"{folder} holds an earlier run")
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        if exist_ok:
            raise
        raise FolderTakenError(f"{folder} is there already") from None
    claimed = ClaimedFolder(folder, RunLock(folder))
    _open.add(place)
    _written.add(place)
    return claimed
