"""The data that conf/data/ can choose: the default names, anybody's text file, the notebook's."""

from importlib.resources import files
from pathlib import Path

from layerscope.lab.data.character_data import CharacterData
from layerscope.lab.data.items import read_items
from layerscope.lab.data.splits import Splits, split_80_10_10

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
