"""Gradient spike: one step whose gradient is far from all that this run has had."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.median import known_median
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_with_memory
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_RECENT = 50  # steps in the running median
_CONVERGED = 0.2  # of the loss at the start: a gradient is small there, and anything is far from it
_SIGMA = 1.4826  # median absolute deviations of a normal variable in a standard deviation
_LEAST_SIGMA = 0.1  # in ln: of a run so even that any change would be many deviations
_ADVICE = (
    Advice(
        "the gradient of {layer} is {value:.3g} times its running median (limit {threshold:g})",
        "trainer.gradient_clip_val=1.0, and a look at the batch of that step",
    ),
)


@rule_with_memory("gradient_spike")
def gradient_spike(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Gradient norm of a step / median of the 50 measured before, from `warm_up` of them on.

    The norm is that of the layers' RMS weight gradients. A spike is also far out against the run's
    own scatter, in the logarithm, so that noise is none. A batch of less than half the largest so
    far, as the last of an epoch, is not compared. Clipped, it is only a note. Named are the layers
    whose own gradient is as far from its own median.
    """
    t = thresholds
    of_layers = figures["weight_grad_rms"].astype(np.float64)
    known = np.fmax(of_layers, 0)  # NaN is 0
    norms = np.sqrt((known * known).sum(axis=1))
    curve = memory.loss_curve.of(figures)
    sizes = np.fmax.reduce(figures["activation_count"], axis=1, initial=0)
    largest = memory.of_run("largest_batch")
    sizes_before = np.fmax(np.fmax.accumulate(sizes), largest[0])
    largest[0] = sizes_before[-1]
    usual = (sizes * 2 >= sizes_before) & np.isfinite(norms) & (norms > 0)

    recent, recent_layers = memory.of_run("norms", _RECENT), memory.of_layers("rms", _RECENT)
    all_norms = np.concatenate([recent, norms[usual]])
    all_layers = np.concatenate([recent_layers, of_layers[usual]])
    values = np.full(of_layers.shape, np.nan)
    severity: npt.NDArray[np.int8] | None = None
    # A spike exceeds a median, so it exceeds the smallest: in nearly all blocks nothing does.
    if norms[usual].max(initial=0) > t.spike_factor * np.fmin.reduce(all_norms, initial=np.inf):
        severity = np.zeros(of_layers.shape, np.int8)
        clipped = figures["clip_factor"] < 0.5
        for place, row in enumerate(np.flatnonzero(usual).tolist()):
            before = all_norms[place : place + _RECENT]
            if not _is_spike(norms[row], before[~np.isnan(before)], t):
                continue
            usual_layers = known_median(all_layers[place : place + _RECENT], axis=0)
            values[row] = of_layers[row] / usual_layers
            far = values[row] > t.spike_factor
            if not far.any():
                far = values[row] == np.fmax.reduce(values[row])
            harmless = clipped[row] or figures["loss"][row] < _CONVERGED * curve.start[row]
            severity[row, far] = 1 if harmless else 2
    recent[:] = all_norms[-_RECENT:]
    recent_layers[:] = all_layers[-_RECENT:]
    return Symptoms(
        values,
        severity,
        (t.spike_factor, t.spike_factor, np.nan),
        _ADVICE,
        "ZClip (Kumar et al. 2025): deviations from a run's own gradient norm",
    )


def _is_spike(norm: float, before: npt.NDArray[np.float64], t: Thresholds) -> bool:
    if len(before) < min(t.warm_up, _RECENT):
        return False
    logs = np.log(before)
    middle = np.median(logs)
    sigma = max(_SIGMA * float(np.median(np.abs(logs - middle))), _LEAST_SIGMA)
    above = np.log(norm) - middle
    return bool(above > np.log(t.spike_factor) and above > t.spike_deviations * sigma)
