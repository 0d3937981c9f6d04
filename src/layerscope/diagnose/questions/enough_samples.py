"""A loss of few samples is noise: as many losses together as make enough of them."""

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Series
from layerscope.diagnose.measured.loss_peak import ENOUGH
from layerscope.diagnose.memory import Memory

_NOW, _START = ENOUGH, 32
"""Samples in the present loss and in that of the start."""


def present_and_start(figures: Figures, memory: Memory) -> tuple[Series, Series]:
    """The mean of the last losses and that of the first, of so many that they make _NOW and _START
    samples, [steps] each: one loss each, from batches of 32 on and where their size is not known.

    Until there are so many, the start is the mean of those before the step: what grows from the
    first step on stays beyond it.
    """
    loss = memory.loss_curve.of(figures).loss
    batches = memory.known("samples", figures["samples"])
    batches = np.where(np.isnan(batches), _START, np.fmax(batches, 1.0))
    before = memory.of_run("losses", 2 + _NOW)
    total, count = np.nan_to_num(before[:2])
    is_known = ~np.isnan(loss)
    if count >= 1 and (batches >= _START).all():  # then one loss is enough
        before[2:] = np.append(before[2:], loss[is_known])[-_NOW:]
        return loss.copy(), np.full(len(loss), total / count)

    joined = np.concatenate([before[2:], loss[is_known]])
    windows = np.lib.stride_tricks.sliding_window_view(joined, _NOW)[1:]
    together = np.ceil(_NOW / np.fmin(batches[is_known], _NOW)).astype(np.int64)
    recent = joined[_NOW:].copy()
    for number in np.unique(together[together > 1]).tolist():
        rows = together == number
        recent[rows] = np.nanmean(windows[rows, -number:], axis=1)
    present = loss.copy()
    present[is_known] = recent

    enough = np.ceil(_START / np.fmin(batches, _START))
    added, number = np.zeros(len(loss), bool), count
    for row in np.flatnonzero(is_known & (enough > count)).tolist():
        added[row] = number < enough[row]
        number += added[row]
        if number >= _START:  # as many as batches of one need
            break
    totals = np.cumsum(np.append(total, np.where(added, loss, 0.0)))
    counts = count + np.append(0, np.cumsum(added))
    start = np.where(counts[:-1] > 0, totals[:-1] / np.fmax(counts[:-1], 1), loss)
    before[:] = [totals[-1], counts[-1], *joined[-_NOW:]]
    return present, start
