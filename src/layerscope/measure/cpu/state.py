"""Rows of a table in the form of `row_state`, in which ranks merge."""

import numpy as np
import numpy.typing as npt

from layerscope.measure.cpu.table import Table
from layerscope.measure.moments import MOMENTS, MomentColumn
from layerscope.measure.row_layout import Sums, Tallies
from layerscope.measure.row_state import STATE


def state_of(table: Table, moments: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """float64 [rows, STATE] of the first rows, whose moments are given, [rows, MOMENTS]."""
    out = np.empty((len(moments), STATE))
    out[:, :MOMENTS] = moments
    out[:, MOMENTS:] = table.tallies[: len(moments), [Tallies.NEAR, Tallies.FAR, Tallies.LEFT_OUT]]
    return out


def load_state(table: Table, state: npt.NDArray[np.float64]) -> None:
    """Set as many of the first rows as the state has; the bins stay."""
    sums, tallies = table.sums[: len(state)], table.tallies[: len(state)]
    tallies[:, Tallies.COUNT : Tallies.OUTSIDE + 1] = state[:, : MomentColumn.MEAN]
    tallies[:, [Tallies.NEAR, Tallies.FAR, Tallies.LEFT_OUT]] = state[:, MOMENTS:]
    sums[:, Sums.SHIFT] = state[:, MomentColumn.MEAN]
    sums[:, Sums.SUM] = 0.0  # about the mean
    sums[:, Sums.SQUARES] = state[:, MomentColumn.SQUARED_DEVIATIONS]
    sums[:, Sums.ABSOLUTE] = state[:, MomentColumn.ABSOLUTE_SUM]
    sums[:, Sums.MINIMUM] = np.nan_to_num(state[:, MomentColumn.MINIMUM], nan=np.inf)
    sums[:, Sums.MAXIMUM] = np.nan_to_num(state[:, MomentColumn.MAXIMUM], nan=-np.inf)
