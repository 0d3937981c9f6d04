"""Which files of a folder are a run's event files, whatever else lies beside them."""

import logging
import os
import struct
from itertools import islice
from pathlib import Path

from layerscope.events.framing import masked_crc

_log = logging.getLogger("layerscope")

_HEAD = 64
"""Bytes at a file's start: its first record says the version and the time of opening."""

_NAMED = 5  # runs, where a folder is none
_LOOKED_AT = 10_000  # folders below it, at most: `/` has hundreds of thousands


def event_files(path: Path) -> list[Path]:
    """An event file, or those of a folder (not of its subfolders), in order of time.

    As TensorBoard does, it goes by `tfevents` in the name, which starts with the time at which the
    file was opened. Passed over, with a warning, is what such a name has and holds no events (a
    compressed copy, notes), and a copy of another file; without one hidden files, which tools that
    copy and edit leave, and folders.

    Raises:
        FileNotFoundError: there is none, or the file is of another kind.
    """
    if not path.is_dir():
        if not path.is_file():
            raise FileNotFoundError(f"there is no event file or folder {path}")
        if not _starts_an_event_file(_first_bytes(path)):
            raise FileNotFoundError(f"{path} is not an event file")
        return [path]
    named = sorted(
        each
        for each in path.iterdir()
        if "tfevents" in each.name and not each.name.startswith(".") and each.is_file()
    )
    found: dict[bytes, Path] = {}
    for each in named:
        head = _first_bytes(each)
        if not _starts_an_event_file(head):
            _log.warning("%s holds no events, and is passed over", each)
        elif (other := found.get(head)) is not None and (longer := _longer(other, each)):
            _log.warning("%s and %s are copies: the longer is read", other, each)
            found[head] = longer
        else:
            found[head if head not in found else head + bytes(each)] = each
    if not found:
        raise FileNotFoundError(f"no event file (*tfevents*) in {path}{_runs_below(path)}")
    return sorted(found.values())


def _runs_below(folder: Path) -> str:
    """The end of a sentence: the last runs below a folder, by name; "" without any."""
    homes = {
        Path(home)
        for home, _, files in islice(os.walk(folder), _LOOKED_AT)
        if any("tfevents" in each for each in files)
    }
    runs = sorted(str(each.relative_to(folder)) for each in homes if each.parent not in homes)
    if not runs:
        return ""
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    return f"; the runs below it are {', '.join(runs[-_NAMED:])}{more}"


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _starts_an_event_file(head: bytes) -> bool:
    """Whether bytes begin with a record's length and its checksum, or are too few; or are such that
    are damaged: they still say what they are, or have become zeros.
    """
    if len(head) < 12 or b"brain.Event:" in head or not any(head):
        return True
    return struct.pack("<I", masked_crc(head[:8])) == head[8:12]


def _longer(one: Path, other: Path) -> Path | None:
    """The longer of two files, if it starts with all of the shorter; None if not."""
    shorter, longer = sorted((one, other), key=lambda path: path.stat().st_size)
    size = shorter.stat().st_size
    with longer.open("rb") as file:
        return longer if size >= _HEAD and file.read(size) == shorter.read_bytes() else None
