"""The residual stream: it grows, over depth or over steps, or a branch adds nothing to it."""

import math

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.figures import Values

_FEWEST = 4  # additions, of which two halves say something
_HALF_OCTAVES = 100  # of what the optimizer has moved: a factor of 2^50
_LOOKS = 3  # in a row: from step 200 on they are a hundred steps apart
_HEARD = 10.0  # times what counts as silent: another branch adds that much
_WAKES = 2.0


@rule_with_memory("stream_grows_by_depth")
def stream_grows_by_depth(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """RMS of the stream after its last addition / after the first half of them, at the start."""
    t = thresholds
    values = np.full(figures["stream_rms"].shape, np.nan)
    streams = [of for of in memory.roles.streams if len(of) >= _FEWEST]
    looks = memory.of_run("looks")
    rows = np.flatnonzero(~np.isnan(figures["stream_rms"]).all(axis=1))
    before = int(np.nan_to_num(looks[0]))
    looks[0] = before + len(rows)
    rows = rows[: max(t.lasting - before, 0)]
    if not streams or not len(rows):
        return Symptoms(values)
    for of in streams:
        ends = figures["stream_rms"][np.ix_(rows, of[[len(of) // 2 - 1, -1]])].astype(np.float64)
        values[rows, of[-1]] = ends[:, 1] / np.where(ends[:, 0] > 0, ends[:, 0], np.nan)
    limits = (t.stream_over_depth, t.stream_over_depth_bad, math.nan)
    severity = (values > limits[0]).astype(np.int8) + (values > limits[1])
    return Symptoms.of_layers(
        values,
        severity,
        Advice(
            "over the second half of its blocks, up to {layer}, the residual stream grows "
            "{value:.3g} times (limit {threshold:g}): each branch is as large as the stream",
            "a normalisation at the beginning of each branch, x + f(norm(x)); or the last "
            "weight of each branch at zero, or divided by sqrt(number of branches), at the "
            "start; and see that no block's input is added to its output twice",
        ),
        limits=limits,
        source="De and Smith 2020: without normalisation a stream's variance doubles with "
        "each block",
        lasting=t.lasting,
    )


@rule_with_memory("stream_grows")
def stream_grows(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """RMS of the stream after an addition / what it was, 1 at least, half of the way before."""
    t = thresholds
    sizes = figures["stream_rms"].astype(np.float64)
    values = sizes / np.maximum(_earlier(sizes, figures, memory), 1)
    curve = memory.loss_curve.of(figures)
    is_lost = ~curve.finite | (curve.loss > curve.start)
    values[(figures.steps < t.patience) | is_lost] = np.nan
    ill = values > t.stream_over_steps
    return Symptoms.of_layers(
        values,
        np.where(ill, 2, 0),
        Advice(
            "the residual stream at {layer} grows exponentially: it is "
            "{value:.3g} times as large as it was half of the way before (limit {threshold:g})",
            "look for a term of the loss, or a weight decay of your own, that makes weights "
            "or activations large: its sign; a smaller optimizer.lr; or weight decay on the "
            "last weight of each branch",
        ),
        limits=(math.nan, t.stream_over_steps, math.nan),
        source="the cube of 2.8; Chameleon 2024, section 2.3: growing norms come before divergence",
        lasting=_LOOKS,
    )


@rule_with_memory("silent_branch")
def silent_branch(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """RMS of a branch / that of the stream that it is added to, from `patience` steps on."""
    t = thresholds
    values = figures["branch_to_stream"].astype(np.float64)
    if np.isnan(values).all():
        return Symptoms(values)
    earlier = _earlier(values, figures, memory)
    ever = memory.of_layers("ever")
    was = np.maximum.accumulate(np.concatenate([np.nan_to_num(ever), np.nan_to_num(values)]))
    ever[0] = was[-1]
    values[(values == 0) & (was[1:] > 0)] = np.nan
    silent = (values < t.branch_silent) & ~(values > _WAKES * earlier) & ~np.isnan(earlier)
    silent &= (figures.steps >= t.patience)[:, np.newaxis]
    heard = np.zeros(values.shape, np.bool_)
    for of in memory.roles.streams:
        largest = np.nan_to_num(values[:, of]).max(axis=1)
        heard[:, of] = (largest > _HEARD * t.branch_silent)[:, np.newaxis]
    ill = silent & heard
    return Symptoms.of_layers(
        values,
        np.where(ill, 2, 0),
        Advice(
            "the branch that {layer} adds has {value:.1g} of the stream's size (limit "
            "{threshold:g}) and does not grow: the block passes its input on",
            "see that its last weight, or its scale, is trained, and that no mask or factor "
            "sets it to zero; a larger scale at the start, or a smaller stream",
        ),
        limits=(math.nan, t.branch_silent, math.nan),
        source="a bfloat16 number has 8 bits: what is below 1/512 of it is rounded away",
        lasting=t.lasting,
        falling=True,
    )


def _earlier(values: Values, figures: Figures, memory: Memory) -> Values:
    """What a figure of looks was before half of the way of the optimizer, at most 2.9 times less of
    it; NaN if that is not known.

    The way is the sum of the learning rates of all steps, or their number where rates are unknown:
    a warm-up is short, and nothing moves where a schedule ends. Kept are the values of the first
    look at or after each power of the root of 2, from the first step that moves on.
    """
    rates = figures["learning_rate"].astype(np.float64)
    way, first = memory.of_run("way", 2), memory.of_run("first")
    before = -1.0 if np.isnan(way[1]) else way[1]
    moved = np.where(np.isnan(rates), 1, rates) * np.diff(figures.steps, prepend=before)
    gone = np.cumsum(np.append(np.nan_to_num(way[0]), moved))[1:]  # the same for any blocks
    way[:] = gone[-1], figures.steps[-1]
    kept, reached = memory.of_layers("kept", _HALF_OCTAVES), memory.of_run("reached")
    earlier = np.full(values.shape, np.nan)
    for row in np.flatnonzero(~np.isnan(values).all(axis=1) & (gone > 0)).tolist():
        if np.isnan(first[0]):
            first[0] = gone[row]
        now = min(int(2 * math.log2(gone[row] / first[0])), _HALF_OCTAVES - 1)
        begin = 0 if np.isnan(reached[0]) else int(reached[0]) + 1
        kept[begin : now + 1] = values[row]
        reached[0] = max(now, begin - 1)
        if now >= 2:
            earlier[row] = kept[now - 2]
    return earlier
