"""A file that is whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


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
