"""A file of a run: written whole or not at all, and read only if it has an end."""

import errno
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any


def read_whole(path: Path) -> str:
    """The text of a file. A pipe or a device, on which a reader may wait for ever, is refused.

    Raises:
        OSError: there is none, or it is something else.
        ValueError: it is not UTF-8.
    """
    _refuse_what_is_no_file(path)
    return path.read_text(encoding="utf-8")


def _refuse_what_is_no_file(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is a device or a pipe", str(path))


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
        OSError: of this path: the folder cannot be written, or something else than a file is
            there; nothing is left behind.
    """
    _refuse_what_is_no_file(path)
    draft = Path(path.parent, f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())  # else a crash can leave the new name on an empty file
        os.replace(draft, path)  # atomic, because it is in the same folder
    except OSError as error:
        if error.errno is None:
            raise
        # A full disk's error names no file, any other the draft.
        raise type(error)(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):  # of a disk that cannot be written, which was told of this path
            draft.unlink(missing_ok=True)
    return path
