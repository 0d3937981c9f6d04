"""Is the gradient on logits that of their entropy, and of nothing else, such as a reward?"""

import numpy as np

from layerscope.diagnose.losses.classification_loss import softmax
from layerscope.figures.inputs import Matrix

_CLOSE = 1e-3
"""Of the gradient's norm; float32 leaves less."""

_UNEVEN = 1e-3
"""Largest slope of the entropy, at least: at even chances it has none, and all is rounding."""


def is_of_entropy_alone(logits: Matrix, gradient: Matrix, *, raised: bool = False) -> float:
    """1 if one number times the slopes of the entropy of softmax(logits) [n, actions] makes the
    gradient, 0 if not; NaN where there is none, or the chances are even.

    Args:
        raised: whether it counts only if the entropy is to rise: nothing but even chances can come
            of that, and what lowers it makes a network sure of what it says already.

    d H / d z = -p (log p + H), whatever was drawn; a reward's part is a (p - onehot of the action).
    """
    chances = np.maximum(softmax(logits), np.finfo(np.float32).tiny)
    logs = np.log(chances)
    entropy = -(chances * logs).sum(1, keepdims=True)
    slopes = chances * (logs + entropy)
    if np.abs(slopes).max() < _UNEVEN or not gradient.any():
        return np.nan
    factor = (slopes * gradient).sum() / np.square(slopes).sum()
    if raised and factor < 0:
        return 0.0
    left = np.linalg.norm(gradient - factor * slopes)
    return float(left <= _CLOSE * np.linalg.norm(gradient))
