"""A folder of the user's, or the next free one beside it, made and held for this process."""

from itertools import count
from pathlib import Path

from layerscope.run_lock import FolderTakenError, RunLock


def held_folder(folder: Path, key: str, *, is_typed: bool) -> Path:
    """Make a folder, and keep other processes out of it until this one ends.

    Where nobody has typed it and there is one already, of what began in the same second, _2, _3 and
    so on are tried.

    Args:
        key: the setting that names it.
        is_typed: whether the user has typed it: then it may be there.

    Raises:
        ValueError: it cannot be made, is no folder, or another process writes to it.
    """
    for number in count(1):
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}_{number}")
        try:
            candidate.mkdir(parents=True, exist_ok=is_typed)
            RunLock(candidate)
            return candidate
        except FolderTakenError as taken:
            raise ValueError(f"{key} must be a folder that is free: {taken}") from None
        except FileExistsError as error:
            if is_typed:
                raise ValueError(f"{key} must be a folder, got {folder}") from error
        except OSError as error:
            raise ValueError(f"{key} cannot be made, got {folder}: {error.strerror}") from error
    raise AssertionError("count has no end")
