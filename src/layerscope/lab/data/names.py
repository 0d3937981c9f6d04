"""The default data: the given names of the United States in 2017."""

from importlib.resources import files
from pathlib import Path

from layerscope.lab.data.character_data import CharacterData
from layerscope.lab.data.items import read_items
from layerscope.lab.data.splits import Splits, split_80_10_10

US_2017 = Path(str(files("layerscope.lab"))) / "names" / "us_2017.txt"
"""29,910 different names; names/PROVENANCE.md says where they come from."""


class NamesData(CharacterData):
    """29,910 names, split 80/10/10 by `split_seed`; about 172,000 training examples."""

    def __init__(
        self,
        context_length: int = 3,
        batch_size: int = 1024,
        split_seed: int = 42,
        shuffle_seed: int = 0,
    ) -> None:
        super().__init__(context_length, batch_size, shuffle_seed)
        self.split_seed = split_seed

    def splits(self) -> Splits:
        """Return 23,928, 2,991 and 2,991 names."""
        return split_80_10_10(read_items(US_2017), self.split_seed, source=US_2017)
