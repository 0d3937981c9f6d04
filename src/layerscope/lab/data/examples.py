"""Items as training examples: a context of characters and the character that follows."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from layerscope.lab.data.vocabulary import BOUNDARY, Vocabulary


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
