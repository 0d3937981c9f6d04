"""A loss of few samples is noise: as many losses together as make enough of them."""

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.last_known import last_known
from layerscope.diagnose.memory import Memory

Series = npt.NDArray[np.float64]

_NOW, _START = 8, 32
"""Samples in the present loss and in that of the start. A mean of 8 squared errors, each as a
normal residual has it, is above three times what is expected once in 500 times."""


def present_and_start(figures: Figures, memory: Memory) -> tuple[Series, Series]:
    """The mean of the last losses and that of the first, of so many that they make _NOW and _START
    samples, [steps] each: one loss each, from batches of 32 on and where their size is not known.

    Until there are so many, the start is the mean of those before the step: what grows from the
    first step on stays beyond it.
    """
    loss = memory.loss_curve.of(figures).loss
    known = last_known(figures["samples"].astype(np.float64), memory.of_run("samples"))
    total, count, *last = memory.of_run("losses", 2 + _NOW)
    total, count = np.nan_to_num([total, count])
    recent = [each for each in last if not np.isnan(each)]
    present, start = loss.copy(), np.full(len(loss), np.nan)
    for row, (value, samples) in enumerate(zip(loss.tolist(), known.tolist(), strict=True)):
        if np.isnan(value):
            start[row] = total / count if count else np.nan
            continue
        of_batch = max(samples, 1.0) if samples == samples else _START
        recent = [*recent, value][-int(np.ceil(_NOW / min(of_batch, _NOW))) :]
        present[row] = np.mean(recent)
        start[row] = total / count if count else value
        if count < np.ceil(_START / min(of_batch, _START)):
            total, count = total + value, count + 1
    memory.of_run("losses", 2 + _NOW)[:] = [total, count, *recent, *[np.nan] * (_NOW - len(recent))]
    return present, start
