"""Of outputs of which only the direction counts, as in a contrastive loss: do they differ?"""

import numpy as np
import numpy.typing as npt

from layerscope.figures.inputs import Matrix

_TURNS = 1e-4
"""|z g| / |z| |g|, at most, of outputs z that a gradient g only turns; float32 leaves less."""

_CLOSE = 1e-3
"""Of 1."""

_FEWEST = 8
"""Samples."""


def direction_figures(output: Matrix, gradient: Matrix) -> dict[str, float]:
    """Mean cosine between the outputs [n, outputs] of two samples, where the gradient on them only
    turns them; nothing where it changes their lengths, too.
    """
    told = np.flatnonzero(gradient.any(1))
    if output.shape[1] < 3 or len(told) < _FEWEST or not _only_turns(output, gradient, told):
        return {}
    lengths = np.linalg.norm(output, axis=1)
    if not lengths.all():
        return {}
    count = len(output)
    total = np.square((output / lengths[:, None]).sum(0)).sum()
    return {"output_cosine": float((total - count) / (count * (count - 1)))}


def is_mean_cosine(output: Matrix, gradient: Matrix, loss: float) -> bool:
    """Whether a loss below 0 is the mean or the sum of negative cosines, where the gradient only
    turns outputs: a row of it is as long as the sine is, over the output's length.
    """
    lengths, rows = np.linalg.norm(output, axis=1), len(output)
    for factor in (1, rows):  # of a sum, of a mean
        sines = factor * lengths * np.linalg.norm(gradient, axis=1)
        if sines.max() > 1 + _CLOSE:
            continue
        cosines = -np.sqrt(np.clip(1 - np.square(sines), 0, 1))
        if abs(cosines.mean() - loss * factor / rows) <= _CLOSE:
            return True
    return False


def _only_turns(output: Matrix, gradient: Matrix, told: npt.NDArray[np.intp]) -> bool:
    for rows in (told[:_FEWEST], told):  # of most losses the first few tell
        along = np.abs(np.einsum("ij,ij->i", output[rows], gradient[rows]))
        length = np.linalg.norm(output[rows], axis=1) * np.linalg.norm(gradient[rows], axis=1)
        if not (along <= _TURNS * (length + length.max())).all():
            return False
    return True
