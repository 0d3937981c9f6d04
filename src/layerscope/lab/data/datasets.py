"""The data that conf/data/ can choose: the default names, anybody's text file, the notebook's."""

from importlib.resources import files
from pathlib import Path

from layerscope.lab.data.character_data import CharacterData
from layerscope.lab.data.splits import Splits, split_80_10_10


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


US_2017 = Path(str(files("layerscope.lab"))) / "names" / "us_2017.txt"
"""The given names of the United States in 2017; names/PROVENANCE.md says where they come from."""

NOTEBOOK_NAMES = [
    *("emma", "olivia", "ava", "isabella", "sophia", "mia", "charlotte", "amelia", "harper"),
    *("evelyn", "abigail", "emily", "ella", "elizabeth", "camila", "luna", "sofia", "avery"),
    *("mila", "aria"),
]
NOTEBOOK_BIGRAMS = 130
NOTEBOOK_ROWS = 27
"""The notebook makes rows and logits for 26 letters and '.', although its names use 20 letters."""


class TextFileData(CharacterData):
    """The different lines of a UTF-8 file over the file's own alphabet, split 80/10/10.

    A line that is repeated counts once, so that no item is in two splits.
    """

    def __init__(
        self,
        path: str | Path,
        context_length: int = 3,
        batch_size: int = 1024,
        split_seed: int = 42,
        shuffle_seed: int = 0,
    ) -> None:
        super().__init__(context_length, batch_size, shuffle_seed)
        self.path = Path(path)
        self.split_seed = split_seed

    def splits(self) -> Splits:
        """Return the items.

        Raises:
            ValueError: as `read_items` and `split_80_10_10` do.
        """
        return split_80_10_10(read_items(self.path), self.split_seed, source=self.path)


class NamesData(TextFileData):
    """29,910 names, split into 23,928, 2,991 and 2,991; about 172,000 training examples."""

    def __init__(
        self,
        context_length: int = 3,
        batch_size: int = 1024,
        split_seed: int = 42,
        shuffle_seed: int = 0,
    ) -> None:
        super().__init__(US_2017, context_length, batch_size, split_seed, shuffle_seed)


class NotebookData(CharacterData):
    """All bigrams in the notebook's order as one batch, for training, validation and test alike.

    The loss is that of the notebook: over what the network is trained on.
    """

    def __init__(self) -> None:
        super().__init__(context_length=1, batch_size=NOTEBOOK_BIGRAMS, shuffle_seed=None)

    def splits(self) -> Splits:
        """Return the same 20 names three times."""
        return Splits(train=NOTEBOOK_NAMES, val=NOTEBOOK_NAMES, test=NOTEBOOK_NAMES)

    def setup(self, stage: str | None = None) -> None:
        """Build the 130 examples; the embedding has the notebook's 27 rows."""
        super().setup(stage)
        self.embedding_rows = NOTEBOOK_ROWS
