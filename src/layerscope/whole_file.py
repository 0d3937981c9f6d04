"""A text file that is whole or not there."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: str) -> Path:
    """Replace a file at once: a reader, or a crash, sees the old or the new.

    Raises OSError if the folder cannot be written, and then leaves nothing behind.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(content, encoding="utf-8")
        os.replace(draft, path)  # atomic, because it is in the same folder
    finally:
        draft.unlink(missing_ok=True)
    return path
