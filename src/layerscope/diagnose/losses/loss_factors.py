"""The usual factors before a loss, and how closely a gradient has to fit one."""

import numpy as np

from layerscope.diagnose.losses.loss_kind import Matrix

CLOSE = 2e-3
"""Relative: float32's rounding, and a sample of the rows where the batch is large."""


def factors(output: Matrix, rows: int) -> tuple[float, ...]:
    """The usual factors before a loss that is added up over elements: mean, batch mean, sum."""
    outputs = output.shape[1]
    return tuple(dict.fromkeys((1 / (rows * outputs), 1 / rows, 1 / outputs, 1.0)))


def alike(values: Matrix) -> bool:
    """Whether all are the same but for rounding."""
    middle = np.median(values)
    return bool(np.abs(values - middle).max() <= CLOSE * middle)


def near(value: float, other: float) -> bool:
    """Whether two numbers are the same but for rounding."""
    return abs(value - other) <= CLOSE * abs(other)
