"""Rows of a table in the form of `row_state`, in which ranks merge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from layerscope.measure.cpu.table import Table
from layerscope.measure.moments import MOMENTS, MomentColumn
from layerscope.measure.row_layout import (
    ABSOLUTE,
    COUNT,
    FAR,
    LEFT_OUT,
    MAXIMUM,
    MINIMUM,
    NEAR,
    OUTSIDE,
    SHIFT,
    SQUARES,
    SUM,
)
from layerscope.measure.row_state import STATE


def state_of(table: Table, moments: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """float64 [rows, STATE] of the first rows, whose moments are given, [rows, MOMENTS]."""
    out = np.empty((len(moments), STATE))
    out[:, :MOMENTS] = moments
    out[:, MOMENTS:] = table.tallies[: len(moments), [NEAR, FAR, LEFT_OUT]]
    return out


def load_state(table: Table, state: npt.NDArray[np.float64]) -> None:
    """Set as many of the first rows as the state has; the bins stay."""
    sums, tallies = table.sums[: len(state)], table.tallies[: len(state)]
    tallies[:, COUNT : OUTSIDE + 1] = state[:, : MomentColumn.MEAN]
    tallies[:, [NEAR, FAR, LEFT_OUT]] = state[:, MOMENTS:]
    sums[:, SHIFT] = state[:, MomentColumn.MEAN]
    sums[:, SUM] = 0.0  # about the mean
    sums[:, SQUARES] = state[:, MomentColumn.SQUARED_DEVIATIONS]
    sums[:, ABSOLUTE] = state[:, MomentColumn.ABSOLUTE_SUM]
    sums[:, MINIMUM] = np.nan_to_num(state[:, MomentColumn.MINIMUM], nan=np.inf)
    sums[:, MAXIMUM] = np.nan_to_num(state[:, MomentColumn.MAXIMUM], nan=-np.inf)
