"""Read items from a text file: UTF-8, one item a line."""

from pathlib import Path


def read_items(path: Path) -> list[str]:
    """Return the items of a file in its order, repeated lines included.

    Lines end in LF or CRLF; a byte order mark and white space around an item are not part of it.

    Raises:
        ValueError: the file is missing, a folder, a device, unreadable, empty or not UTF-8, or has
            a blank line; the sentence names the file, and the line where there is one.
    """
    data = _read(path)
    if not data:
        raise ValueError(f"{path} is empty; it must hold one item a line")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The codec counts from behind a byte order mark, which holds no line end.
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        raise ValueError(f"{path}, line {line}: byte 0x{byte:02x} is not valid UTF-8") from None
    # Not str.splitlines: it also cuts at characters that may stand inside an item, like U+2028.
    items = [line.strip() for line in text.removesuffix("\n").split("\n")]
    for number, item in enumerate(items, start=1):
        if not item:
            raise ValueError(f"{path}, line {number}: the line is blank; every line is one item")
    return items


def _read(path: Path) -> bytes:
    if path.exists() and not path.is_dir() and not path.is_file():  # /dev/zero has no end
        raise ValueError(f"path must be a text file, got {path}, which is a device or a pipe")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"path must be a text file, got {path}, which is not there") from None
    except IsADirectoryError:
        raise ValueError(f"path must be a text file, got {path}, which is a folder") from None
    except (OSError, ValueError) as error:  # a name with a zero byte
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"path must be a text file that can be read, got {path}: {why}") from None
