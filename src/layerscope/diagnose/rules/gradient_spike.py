"""Gradient spike: one step whose gradient is far from all that this run has had."""

from dataclasses import replace

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Flags, Series, Values
from layerscope.diagnose.questions.median import known_median
from layerscope.diagnose.questions.pace import median_update
from layerscope.diagnose.questions.recurrent import is_clipped
from layerscope.diagnose.questions.regular_intervals import RECENT, at_an_interval
from layerscope.diagnose.questions.weights_at_the_start import gains_at_the_start
from layerscope.diagnose.symptoms import A_TENTH

_TINY = 1e-3
"""Variance of the weights times fan-in at the start, of the median layer: thirty times too small.
GPT-2's 0.02 is 0.3 at its width of 768, and 0.02 at a width of 48."""

_CONVERGED = 0.2  # of the loss at the start: a gradient is small there, and anything is far from it
_CLIPPED = 0.5  # of the gradient is left
_SIGMA = 1.4826  # median absolute deviations of a normal variable in a standard deviation
_LEAST_SIGMA = 0.1  # in ln: of a run so even that any change would be many deviations
_DOMINATES = 1000**0.5  # times the usual: most of Adam's second moment is then this one gradient
_SURE = 3.0  # standard errors by which the loss is higher afterwards
_FELT = 0.1  # of the way that the loss had fallen, which is lost
_CLIP = "trainer.gradient_clip_val=1.0, and a look at the batch of that step"
_LARGE = -2.0  # log10 of update / weight: ten times the usual
_LOOK = "a look at the batch of that step: a clip makes its step smaller, not right"
_OWN = Advice(
    "the gradient of {layer} is {value:.3g} times its running median (limit {threshold:g}), and it "
    "is as much larger at regular intervals: the loop does something else there, such as a penalty "
    "that is taken now and then",
    "change nothing if it is meant (lazy regularisation: Karras et al. 2020, StyleGAN2, section "
    "3.1); else a smaller weight of what comes at these steps",
)
_ADVICE = (
    Advice(
        "the gradient of {layer} is {value:.3g} times its running median (limit {threshold:g})",
        _CLIP,
    ),
    Advice(
        "the gradient of the outputs of {layer} is {value:.3g} times its running median (limit "
        "{threshold:g}), and that of the weights is not: it was clipped before it was measured, "
        "or only a few samples have it",
        _LOOK,
    ),
    Advice(
        "the gradient of {layer} is {value:.3g} times its running median (limit {threshold:g}); it "
        "was clipped after that",
        _LOOK,
    ),
)
_FROM_NOTHING = Advice(
    "the gradient of {layer} is {value:.3g} times its running median (limit {threshold:g}), while "
    "weights that began at next to nothing grow: gradients grow with them",
    "weights that keep a signal's size at the start, of variance 1 / fan_in or 2 / fan_in: "
    "torch.nn.init.kaiming_normal_; 0.02 is GPT-2's standard deviation",
)
_IF_CLIPPED = (
    "the loop changes gradients before the step already: if it clips them, a smaller limit; and a "
    "look at the batch of that step"
)
_OF_LARGE_STEPS = tuple(
    replace(
        each,
        explanation=f"{each.explanation}; each step changes weights by more than a hundredth of "
        "their size, where a thousandth is usual",
        remedy=f"{A_TENTH}; else {each.remedy}",
    )
    for each in _ADVICE
)


_ALL = (*_ADVICE, *_OF_LARGE_STEPS)
_CLIPPED_TOO = tuple(
    replace(each, remedy=each.remedy.replace(_CLIP, _IF_CLIPPED))
    for each in _ALL
    if isinstance(each.remedy, str)
)


@rule_with_memory("gradient_spike")
def gradient_spike(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Gradient norm of a step, from the RMS of its layers' weight gradients / median of the 50
    measured before, from `warm_up` of them on.
    """
    t = thresholds
    weights = figures["weight_grad_rms"].astype(np.float64)
    outputs = figures["activation_grad_rms"].astype(np.float64)
    sizes = np.fmax.reduce(figures["activation_count"], axis=1, initial=0)
    whole = sizes * 2 >= memory.highest("largest_batch", sizes)
    norms = _norms(weights)
    spikes = _spikes(weights, norms, whole, "weights", memory, t)
    of_outputs = _spikes(outputs, _norms(outputs), whole, "outputs", memory, t)
    is_record = _is_record(norms, memory)
    regular = at_an_interval(norms, figures.steps, spikes | of_outputs, t.spike_factor, memory)
    cause = np.zeros(weights.shape, np.int8)
    for row in of_outputs.keys() - spikes.keys():
        spikes[row], cause[row] = of_outputs[row], 1
    values = np.full(weights.shape, np.nan)
    # The spike's step, its loss and noise before; losses since.
    pending = memory.of_run("pending", 5)
    curve = memory.loss_curve.of(figures)
    before = np.append(memory.of_run("level")[0], curve.level)
    noise = np.append(memory.of_run("noise")[0], curve.noise)
    memory.of_run("level")[0], memory.of_run("noise")[0] = curve.level[-1], curve.noise[-1]
    steps, clipped = median_update(figures, memory), is_clipped(figures, memory)
    tiny = _began_tiny(figures, memory) & (curve.known < t.patience)
    if not spikes and np.isnan(pending[0]):
        return Symptoms(values)
    cause[(figures["clip_factor"] < _CLIPPED)[:, np.newaxis] & (cause == 0)] = 2
    cause += len(_ADVICE) * (steps > _LARGE)[:, np.newaxis]
    severity, since = np.zeros(values.shape, np.int8), np.zeros(values.shape, np.int64)
    ratios, kinds = memory.of_layers("ratios")[0], memory.of_layers("kinds")[0]
    for row, step in enumerate(figures.steps.tolist()):
        harmful = _harmful(pending, curve.loss[row], curve.start[row], t.lasting)
        if harmful is not None:
            named = ~np.isnan(ratios)
            values[row, named] = ratios[named]
            severity[row, named], since[row] = 1 if tiny[row] else 2, harmful
            cause[row] = np.nan_to_num(kinds)
        if row not in spikes:
            continue
        far = spikes[row] > t.spike_factor
        if not far.any():
            far = spikes[row] == np.fmax.reduce(spikes[row])
        left = np.fmin(curve.loss[row], before[row]) - curve.floor[row]
        converged = left < _CONVERGED * (curve.start[row] - curve.floor[row])
        unclipped = not (cause[row] % len(_ADVICE)).any()
        dominates = np.fmax.reduce(spikes[row]) > _DOMINATES and is_record[row]
        large = dominates or np.isnan(curve.loss[row])
        at_once = (
            2 if large and unclipped and not converged and not (regular[row] or tiny[row]) else 1
        )
        values[row], since[row] = np.where(np.isnan(values[row]), spikes[row], values[row]), step
        severity[row, far] = np.fmax(severity[row, far], at_once)
        if regular[row]:
            cause[row] = 2 * len(_ADVICE)
        elif np.isnan(pending[0]) and not converged:
            pending[:] = step, before[row], noise[row], 0, 0
            ratios[:], kinds[:] = np.where(far, spikes[row], np.nan), cause[row]
    return Symptoms.of_layers(
        values,
        severity,
        *_ALL,
        _OWN,
        *_CLIPPED_TOO,
        _FROM_NOTHING,
        limits=(t.spike_factor, t.spike_factor, np.nan),
        source="ZClip (Kumar et al. 2025): deviations from a run's own gradient norm",
        cause=np.where(
            tiny[:, np.newaxis],
            len(_ALL) + 1 + len(_CLIPPED_TOO),
            cause + (len(_ALL) + 1) * (clipped[:, np.newaxis] & (cause < len(_ALL))),
        ),
        since=since,
    )


def _began_tiny(figures: Figures, memory: Memory) -> Flags:
    """Whether weights were next to nothing before the first step, as last known, [steps]."""
    gain = np.full(len(figures.steps), np.nan)
    if figures.steps[0] == 0:
        gains = gains_at_the_start(figures, memory.roles)
        gain[0] = known_median(gains[np.newaxis], axis=1)[0] if len(gains) else np.nan
    return memory.known("gain at the start", gain) < _TINY


def _harmful(pending: Series, loss: float, start: float, lasting: int) -> int | None:
    """The step of the spike that waits for losses, if this one makes them enough and their mean is
    above the level before it; it waits no more then.
    """
    if np.isnan(pending[0]) or np.isnan(loss):
        return None
    pending[3:] = pending[3] + loss, pending[4] + 1
    step, before, noise, total, count = pending.tolist()
    if count < lasting:
        return None
    pending[:] = np.nan
    lost = total / count - before
    return int(step) if lost > _SURE * noise and not lost < _FELT * (start - before) else None


def _norms(of_layers: Values) -> Values:
    """Of each step, from the RMS of its layers; what is NaN counts as 0."""
    known = np.fmax(of_layers, 0)
    return np.sqrt((known * known).sum(axis=1))


def _is_record(norms: Values, memory: Memory) -> Flags:
    """Whether the gradient is larger than all before it in the run, bool [steps]."""
    before = memory.of_run("largest_norm")[0]
    so_far = memory.highest("largest_norm", np.where(np.isfinite(norms), norms, 0))
    return ~(norms <= np.append(before, so_far[:-1]))


def _spikes(
    of_layers: Values, norms: Values, whole: Flags, of: str, memory: Memory, t: Thresholds
) -> dict[int, Values]:
    """By row of the block that is a spike, each layer's RMS / its own running median.

    Args:
        of_layers: RMS of gradients, [steps, layers].
        norms: theirs, [steps].
        whole: whether the batch was as large as others, [steps].
        of: what they are the gradients of, a name in memory.
    """
    usual = whole & np.isfinite(norms) & (norms > 0)
    recent, recent_layers = memory.of_run(of, RECENT), memory.of_layers(of, RECENT)
    all_norms = np.concatenate([recent, norms[usual]])
    all_layers = np.concatenate([recent_layers, of_layers[usual]])
    found: dict[int, Values] = {}
    # A spike exceeds a median, so it exceeds the smallest: in nearly all blocks nothing does.
    windows = np.lib.stride_tricks.sliding_window_view(all_norms, RECENT)[:-1]
    may_be = norms[usual] > t.spike_factor * np.fmin.reduce(windows, axis=1)
    rows = np.flatnonzero(usual)
    for place in np.flatnonzero(may_be).tolist():
        row, before = int(rows[place]), all_norms[place : place + RECENT]
        if _is_spike(norms[row], before[~np.isnan(before)], t):
            medians = known_median(all_layers[place : place + RECENT], axis=0)
            # A layer that gets none in most steps has no usual one to compare with.
            now, medians = of_layers[row], np.where(medians > 0, medians, np.nan)
            # Optimizers that take turns have gradients of different layers, and the median of
            # all norms is that of none of them.
            ratios = now / medians
            norm, same = _norms(np.where(np.isnan(ratios), np.nan, [now, medians]))
            if norm > t.spike_factor * same:
                found[row] = ratios
    recent[:] = all_norms[-RECENT:]
    recent_layers[:] = all_layers[-RECENT:]
    return found


def _is_spike(norm: float, before: Series, t: Thresholds) -> bool:
    if len(before) < min(t.warm_up, RECENT):
        return False
    logs = np.log(before)
    middle = np.median(logs)
    sigma = max(_SIGMA * float(np.median(np.abs(logs - middle))), _LEAST_SIGMA)
    above = np.log(norm) - middle
    return bool(above > np.log(t.spike_factor) and above > t.spike_deviations * sigma)
