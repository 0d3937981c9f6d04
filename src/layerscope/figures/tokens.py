"""Where a language model's targets stand in what it reads, as figures."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from layerscope.figures.inputs import Matrix

Tokens = npt.NDArray[np.int64]

_ENOUGH = 64
"""Targets, of as many places."""

_DIFFERENT = 8
"""Tokens among them: of fewer the same may stand everywhere."""

_ALL, _OTHERS = 0.999, 0.95
"""Shares of the targets that stand at one distance, and at any other."""

_TAILS = 3
"""Lengths of padding that must differ, so that it is one."""


def token_figures(
    tokens: Sequence[Tokens], gradient: Matrix, samples: int, every: int
) -> dict[str, float]:
    """Where targets stand.

    Args:
        tokens: what embeddings got, [rows, columns] each.
        gradient: of a cross-entropy on its output, [n, classes].
        samples: how many rows that output has; n of them are `every` so many apart.
        every: see there.
    """
    figures = {"token_inputs": float(len(tokens))}
    told = (gradient < 0).any(1)
    places, targets = every * np.flatnonzero(told), gradient[told].argmin(1)
    if len(targets) < _ENOUGH:
        return figures
    shifts = []
    for matrix in tokens:
        if matrix.size != samples:
            continue
        if (shift := _shift(matrix, places, targets)) is not None:
            figures["target_shift"] = float(shift)
            shifts.append(shift)
        figures["target_padding"] = _padding(matrix, places, targets)
    read = [each for each in tokens if (each != each[:1]).any()]  # else they number places
    if shifts == [0] and len(read) > 1 and read[-1].size == samples:
        figures["targets_fed"] = float(_shift(read[-1], places, targets) == 0)
    return figures


def _shift(tokens: Tokens, places: Tokens, targets: Tokens) -> int | None:
    """How many tokens ahead all targets stand, along either axis; None if it is not so."""
    flat, (rows, columns) = tokens.ravel(), tokens.shape
    along = ((places % columns, columns, 1), (places // columns, rows, columns))
    shares = {}
    for ahead in range(3):
        for axis, (place, length, distance) in enumerate(along[: 1 + (ahead > 0)]):
            inside = place + ahead < length
            if inside.sum() < _ENOUGH or len(np.unique(targets[inside])) < _DIFFERENT:
                continue
            same = flat[places[inside] + ahead * distance] == targets[inside]
            shares[ahead, axis] = float(same.mean())
    whole = [which for which, share in shares.items() if share >= _ALL]
    others = [share for which, share in shares.items() if which not in whole]
    return whole[0][0] if len(whole) == 1 and max(others, default=0) < _OTHERS else None


def _padding(tokens: Tokens, places: Tokens, targets: Tokens) -> float:
    """Share of the targets that stand in the same token's run at the end of most rows."""
    last = tokens[:, -1]
    token = np.bincount(last - last.min()).argmax() + last.min()
    other = tokens != token
    lengths = np.where(other.any(1), other[:, ::-1].argmax(1), tokens.shape[1])
    if (lengths > 1).mean() < 0.5 or len(np.unique(lengths)) < _TAILS:
        return 0.0
    columns = tokens.shape[1]
    in_tail = np.arange(columns) >= (columns - 1 - lengths)[:, None]  # and the place before it
    return float((in_tail.ravel()[places] & (targets == token)).mean())
