"""Rows of a table become what is shown of them: moments and buckets."""

from __future__ import annotations

import numpy as np

from layerscope.measure.cpu.compiled import jit
from layerscope.measure.cpu.raw_memory import load_i64
from layerscope.measure.cpu.rebin import fill_linear, fill_logarithmic
from layerscope.measure.cpu.row import empty_row, read_moments
from layerscope.measure.cpu.table import ROW
from layerscope.measure.moments import MomentColumn
from layerscope.measure.row_layout import FAR, FIELDS, LEFT_OUT, NEAR, ZEROS

_FLOAT32_MAX = float(np.finfo(np.float32).max)


@jit
def _range(axis, minimum, maximum):  # type: ignore[no-untyped-def]
    """What the linear buckets show; around a constant, on its own scale."""
    left = min(axis[0], minimum) if axis[0] == axis[0] else minimum
    right = max(axis[1], maximum) if axis[1] == axis[1] else maximum
    if left == right:
        spread = abs(left) / 2 if left != 0.0 else 0.5
        left, right = left - spread, right + spread
    return max(left, -_FLOAT32_MAX), min(right, _FLOAT32_MAX)


@jit
def read_rows(table, first, axes, logs, moments, linear, logarithmic, reset):  # type: ignore[no-untyped-def]
    """Read rows of a table into moments and buckets, and empty them.

    Args:
        table: `Table.address`.
        first: the first of the k rows.
        axes: float64 [all rows, 2], the least range to show; NaN shows the measured one.
        logs: bool [all rows], whether to fill `logarithmic`.
        moments: float64 [k, MOMENTS], filled.
        linear: float32 [k, buckets, 3], filled with left, right, count.
        logarithmic: float32 [k, buckets, 3], filled with the same of log10 |x|, zeros first.
        reset: whether to leave the rows empty.
    """
    for i in range(moments.shape[0]):
        row = first + i
        counts = load_i64(table, 0) + row * ROW * 8
        sums = load_i64(table, 1) + row * FIELDS * 8
        tallies = load_i64(table, 2) + row * FIELDS * 8
        finite = read_moments(sums, tallies, moments[i])
        if finite > 0:
            near, far = load_i64(tallies, NEAR), load_i64(tallies, FAR)
            minimum, maximum = moments[i, MomentColumn.MINIMUM], moments[i, MomentColumn.MAXIMUM]
            left, right = _range(axes[row], minimum, maximum)
            zeros, left_out = load_i64(tallies, ZEROS), load_i64(tallies, LEFT_OUT)
            counted = finite - zeros - left_out
            weight = (finite - zeros) / counted if counted > 0 else 1.0
            fill_linear(
                counts,
                near,
                far,
                minimum,
                maximum,
                left,
                right,
                zeros,
                finite,
                weight,
                linear[i],
            )
            if logs[row]:
                fill_logarithmic(counts, near, far, zeros, finite, weight, logarithmic[i])
        else:
            linear[i] = 0
            logarithmic[i] = 0
        if reset:
            empty_row(table, row)
