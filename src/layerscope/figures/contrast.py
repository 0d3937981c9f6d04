"""What a contrastive loss multiplies its cosines by, told by its gradient on both outputs."""

import numpy as np

from layerscope.figures.inputs import Matrix

_CLOSE = 1e-2
"""Of the gradient's length, what the best scale may leave."""

_LARGEST = 4.0
"""Larger scales are not looked for: the softmax can be sure with them."""

_ROUNDS = 20


def scale_of_cosines(one: Matrix, on_one: Matrix, other: Matrix, on_other: Matrix) -> float:
    """The factor s of a cross-entropy of s cos(u_i, v_j), in which sample i of the one output has
    sample i of the other as its partner: along one's rows, the other's, or the mean of both. NaN
    of any other loss, and where s is large.

    Only what turns the outputs is compared, so it is the same whether the network divides by the
    norm or the loss does.

    Args:
        one, other: outputs [n, width].
        on_one, on_other: the gradients on them.
    """
    if one.shape != other.shape or len(one) < 3:
        return np.nan
    lengths = [np.linalg.norm(each, axis=1, keepdims=True) for each in (one, other)]
    if not all((each > 0).all() for each in lengths):
        return np.nan
    u, v = one / lengths[0], other / lengths[1]
    pulls = np.stack([_across(on_one * lengths[0], u), _across(on_other * lengths[1], v)])
    size = np.linalg.norm(pulls)
    if not 0 < size < np.inf:
        return np.nan
    for along_one in (0.5, 1.0, 0.0):
        scale = 0.0
        for _ in range(_ROUNDS):
            per_scale = _pulls(u, v, scale, along_one)
            before = scale
            scale = float((pulls * per_scale).sum() / max(np.square(per_scale).sum(), 1e-300))
            if not 0 < scale < _LARGEST or abs(scale - before) <= 1e-6 * scale:
                break
        left = np.linalg.norm(pulls - scale * _pulls(u, v, scale, along_one))
        if 0 < scale < _LARGEST and left <= _CLOSE * size:
            return scale
    return np.nan


def _pulls(u: Matrix, v: Matrix, scale: float, along_one: float) -> Matrix:
    """The gradients on both directions, over the scale."""
    products = np.exp(scale * (u @ v.T))
    shares = along_one * products / products.sum(1, keepdims=True)
    shares += (1 - along_one) * products / products.sum(0, keepdims=True)
    slopes = (shares - np.eye(len(u))) / len(u)
    return np.stack([_across(slopes @ v, u), _across(slopes.T @ u, v)])


def _across(vectors: Matrix, unit: Matrix) -> Matrix:
    """What of them stands at right angles to unit vectors, row by row."""
    return vectors - (vectors * unit).sum(1, keepdims=True) * unit
