"""Of outputs of which only the direction counts, as in a contrastive loss: do they differ?"""

import numpy as np
import numpy.typing as npt

from layerscope.session.input_figures import Matrix

_TURNS = 1e-4
"""|z g| / |z| |g|, at most, of outputs z that a gradient g only turns; float32 leaves less."""

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


def _only_turns(output: Matrix, gradient: Matrix, told: npt.NDArray[np.intp]) -> bool:
    for rows in (told[:_FEWEST], told):  # of most losses the first few tell
        along = np.abs(np.einsum("ij,ij->i", output[rows], gradient[rows]))
        length = np.linalg.norm(output[rows], axis=1) * np.linalg.norm(gradient[rows], axis=1)
        if not (along <= _TURNS * (length + length.max())).all():
            return False
    return True
