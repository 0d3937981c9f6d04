"""A file of a run: written whole or not at all, and read only if it has an end."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any


def read_whole(path: Path) -> str:
    """The text of a file. A pipe or a device, on which a reader may wait for ever, is refused.

    Raises:
        OSError: there is none, or it is something else.
        ValueError: it is not UTF-8.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, "it is a device or a pipe", str(path))
    return path.read_text(encoding="utf-8")


def read_json(path: Path) -> Any:
    """What a JSON file says.

    Raises:
        OSError, ValueError: as `read_whole`, or it is no JSON.
    """
    try:
        return json.loads(read_whole(path))
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None


def write_whole(path: Path, content: str | bytes) -> Path:
    """Replace a file at once: a reader, or a crash, sees the old or the new.

    Raises:
        OSError: the folder cannot be written; nothing is left behind.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())  # else a crash can leave the new name on an empty file
        os.replace(draft, path)  # atomic, because it is in the same folder
    finally:
        draft.unlink(missing_ok=True)
    return path
