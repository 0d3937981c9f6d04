"""The part that all data modules share: examples built once, batches cut for each rank."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from layerscope.arguments import at_least, at_most
from layerscope.lab.data.batches import Batches, Order
from layerscope.lab.data.splits import Splits
from layerscope.lab.data.vocabulary import BOUNDARY, Vocabulary

LONGEST_CONTEXT = 1024
"""Characters. Every example holds its own: 172,000 names take 1.4 GB of indices at this length."""


class CharacterData(LightningDataModule, ABC):
    """Batches of (contexts int64 [B, context_length], targets int64 [B]) from items of text.

    A subclass says which items there are. After `setup`, which may be called before there is a
    trainer, `vocabulary` and `embedding_rows` give the sizes of a network for these data.

    Args:
        context_length: characters that the network sees, 1 to 1,024.
        batch_size: examples a batch on each rank, at least 1.
        shuffle_seed: the run's seed; each epoch's order follows from it. None keeps the order.
    """

    vocabulary: Vocabulary
    embedding_rows: int

    def __init__(self, context_length: int, batch_size: int, shuffle_seed: int | None) -> None:
        super().__init__()
        at_least(1, context_length=context_length, batch_size=batch_size)
        at_most(LONGEST_CONTEXT, context_length=context_length)
        if shuffle_seed is not None:
            at_least(0, shuffle_seed=shuffle_seed)
        self.context_length = context_length
        self.batch_size = batch_size
        self.shuffle_seed = shuffle_seed
        self._training: Batches | None = None
        self._restored: dict[str, int] | None = None

    @abstractmethod
    def splits(self) -> Splits:
        """Return the items.

        Raises:
            ValueError: they cannot be trained on.
        """

    def setup(self, stage: str | None = None) -> None:
        """Read the items and build the examples of every split, once."""
        if hasattr(self, "vocabulary"):
            return
        items = self.splits()
        self.vocabulary = Vocabulary([*items.train, *items.val, *items.test])
        self.embedding_rows = len(self.vocabulary)
        self._train, self._val, self._test = (
            contexts_and_targets(split, self.vocabulary, self.context_length)
            for split in (items.train, items.val, items.test)
        )

    def train_dataloader(self) -> Batches:
        """Return this rank's share of the training examples, shuffled anew each epoch.

        In a resumed run, behind the batches that the epoch has already given.
        """
        self._training = self._batches(*self._train, seed=self.shuffle_seed)
        if self._restored is not None:
            self._training.load_state_dict(self._restored)
            self._restored = None
        return self._training

    def state_dict(self) -> dict[str, int]:
        """Where the training is in its epoch.

        Lightning keeps the state of the loader itself as well, and does not give it back where the
        loader was made before the checkpoint was read, as `estimated_stepping_batches` does.
        """
        return {} if self._training is None else self._training.state_dict()

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from what `state_dict` gave."""
        self._restored = state_dict or None

    def val_dataloader(self) -> Batches:
        """Return this rank's share of the validation examples, in order."""
        return self._batches(*self._val, seed=None)

    def test_dataloader(self) -> Batches:
        """Return this rank's share of the test examples, in order."""
        return self._batches(*self._test, seed=None)

    def _batches(self, x: Tensor, y: Tensor, seed: int | None) -> Batches:
        trainer = self.trainer
        if trainer is None:
            return Batches(x, y, Order(len(y), self.batch_size, seed), epoch=lambda: 0)
        order = Order(len(y), self.batch_size, seed, trainer.global_rank, trainer.world_size)
        return Batches(x, y, order, epoch=lambda: trainer.current_epoch)


def contexts_and_targets(
    items: Sequence[str], vocabulary: Vocabulary, context_length: int
) -> tuple[Tensor, Tensor]:
    """Return contexts, int64 [n, context_length], and targets, int64 [n], in the items' order.

    An item of k characters gives k + 1 examples: one for each character, one for the boundary
    after it. The context before the first character is all boundary, as in Bengio et al. (2003).

    With a context of 3, `emma` gives `...`->e, `..e`->m, `.em`->m, `emm`->a, `mma`->boundary.
    """
    # One stream for all items, each behind `context_length` boundaries, the first of which is
    # the target after the item before: 170,000 examples in milliseconds, without a Python loop.
    lengths = np.fromiter(map(len, items), dtype=np.int64, count=len(items))
    padding = context_length * np.arange(1, len(items) + 1)
    ends = np.cumsum(lengths) + padding
    positions = np.arange(lengths.sum()) + np.repeat(padding, lengths)

    stream = np.full(ends[-1] + 1, BOUNDARY, dtype=np.int64)
    stream[positions] = vocabulary.encode_all(items)
    is_target = stream != BOUNDARY
    is_target[ends] = True
    targets = np.flatnonzero(is_target)

    windows = np.lib.stride_tricks.sliding_window_view(stream, context_length)
    contexts = windows[targets - context_length]  # the window that ends just before the target
    return torch.from_numpy(contexts), torch.from_numpy(stream[targets])
