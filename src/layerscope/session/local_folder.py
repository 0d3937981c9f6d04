"""The folder that a run is written to: one spelling, whatever the working folder becomes.

Apart from `claimed_folder`, since whoever reads a run, or types a wrong word, needs no torch.
"""

import os
import re
from pathlib import Path

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # pathlib makes s3:/ of s3://; c:/ is a drive


def local_folder(folder: str | os.PathLike[str], argument: str = "log_dir") -> Path:
    """The absolute path of a folder on this machine, `~` expanded; it need not exist.

    Args:
        argument: what the user calls it.

    Raises:
        ValueError: it is an address, such as s3://bucket/run, or no path at all, or it leads
            through a file.
    """
    if not isinstance(folder, (str, os.PathLike)) or not os.fspath(folder):
        raise ValueError(f"{argument} must be the path of a folder, got {folder!r}")
    path = os.fsdecode(folder)
    if "\0" in path:
        raise ValueError(f"{argument} must be the path of a folder, got {path!r}")
    if _ADDRESS.match(path):
        raise ValueError(f"{argument} must be a folder on this machine, got {path!r}")
    local = Path(os.path.abspath(os.path.expanduser(path)))
    there = nearest(local)
    if not there.is_dir():
        raise ValueError(f"{argument} must be a folder, got {path}: {there} is not one")
    return local


def nearest(path: Path) -> Path:
    """The path itself, or else the deepest folder above it that exists."""
    return next(each for each in (path, *path.absolute().parents) if os.path.lexists(each))


def is_same_folder(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether two paths lead to one folder, by symbolic links too."""
    return os.path.realpath(one) == os.path.realpath(other)
