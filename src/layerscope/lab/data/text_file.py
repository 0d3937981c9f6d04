"""Anybody's own items: a text file with one item a line."""

from pathlib import Path

from layerscope.lab.data.character_data import CharacterData
from layerscope.lab.data.items import read_items
from layerscope.lab.data.splits import Splits, split_80_10_10


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
        """Return the items; raises ValueError as `read_items` and `split_80_10_10` do."""
        return split_80_10_10(read_items(self.path), self.split_seed, source=self.path)
