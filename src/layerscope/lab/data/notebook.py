"""The data of the course's notebook: 20 names, 130 bigrams, one full batch."""

from layerscope.lab.data.character_data import CharacterData
from layerscope.lab.data.splits import Splits

NAMES = [
    *("emma", "olivia", "ava", "isabella", "sophia", "mia", "charlotte", "amelia", "harper"),
    *("evelyn", "abigail", "emily", "ella", "elizabeth", "camila", "luna", "sofia", "avery"),
    *("mila", "aria"),
]
BIGRAMS = 130
EMBEDDING_ROWS = 27
"""The notebook makes rows and logits for 26 letters and '.', although its names use 20 letters."""


class NotebookData(CharacterData):
    """All bigrams in the notebook's order as one batch, for training, validation and test alike.

    The loss is that of the notebook: over what the network is trained on.
    """

    def __init__(self) -> None:
        super().__init__(context_length=1, batch_size=BIGRAMS, shuffle_seed=None)

    def splits(self) -> Splits:
        """Return the same 20 names three times."""
        return Splits(train=NAMES, val=NAMES, test=NAMES)

    def setup(self, stage: str | None = None) -> None:
        """Build the 130 examples; the embedding has the notebook's 27 rows."""
        super().setup(stage)
        self.embedding_rows = EMBEDDING_ROWS
