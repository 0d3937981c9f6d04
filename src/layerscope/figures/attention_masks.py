"""Whether an attention's mask leaves padding alone to be looked at, as figures."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from layerscope.figures.tokens import Tokens
from layerscope.record.attention.heads import Heads
from layerscope.record.ends.ends import Ends
from layerscope.record.place import Seen

_DIFFERENT = 8
"""Tokens that are hidden: padding is one token, and text is many."""


def mask_figures(attention: Mapping[str, Seen], ends: Ends) -> dict[str, float]:
    """1 of an attention whose mask hides all but padding, by place; if samples have their own."""
    figures: dict[str, float] = {}
    tokens: list[Tokens] | None = None
    for name, heads in attention.items():
        if isinstance(heads, Heads) and heads.visible is not None:
            tokens = [each.numpy() for each in ends.tokens] if tokens is None else tokens
            visible = heads.visible.get().numpy()
            figures[name] = float(sees_padding_only(visible, heads.samples, tokens))
    return figures


def sees_padding_only(
    visible: npt.NDArray[np.bool_], samples: int, tokens: Sequence[Tokens]
) -> bool:
    """Whether the keys that may be looked at are all of one token, at the end or the beginning of
    its sequences and nowhere else, and all others may not.

    Args:
        visible: [some samples, keys].
        samples: how many there are in all, of which those are evenly spaced.
        tokens: what embeddings got, [rows, columns] each, along either axis.
    """
    keys = visible.shape[1]
    each_from = -(-samples // len(visible))  # with heads or beams beside each other, if there are
    for matrix in (turned for each in tokens for turned in (each, each.T)):
        rows, columns = matrix.shape
        if columns != keys or samples % rows:
            continue
        of_samples = matrix[np.arange(0, samples, each_from) * rows // samples]
        if len(of_samples) == len(visible) and _is_padding(visible, of_samples):
            return True
    return False


def _is_padding(visible: npt.NDArray[np.bool_], tokens: Tokens) -> bool:
    seen = tokens[visible]
    if not seen.size or (seen != seen[0]).any() or (tokens[~visible] == seen[0]).any():
        return False
    behind = np.sort(visible, axis=1)
    is_run = (visible == behind).all() or (visible == behind[:, ::-1]).all()
    several = len(np.unique(visible.sum(1))) > 1
    return bool(is_run) and several and len(np.unique(tokens[~visible])) >= _DIFFERENT
