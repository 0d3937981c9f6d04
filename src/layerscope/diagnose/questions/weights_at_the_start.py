"""How large weights are before the first step, beside what keeps a signal's size."""

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Series
from layerscope.diagnose.measured.roles import LARGEST_GAIN, Roles

_LARGE_SCALE = 10.0
"""Of a parameter that is no matrix: a normalisation's weight begins at 1, SSD's at 20 (Liu et al.
2016, section 3.1) before layers that bring it down.
"""

_SHARP = 0.1
"""A temperature below is for cosines alone."""

_HALF = 0.5
"""Of the layers, two at least."""


def gains_at_the_start(figures: Figures, roles: Roles) -> Series:
    """Variance of the weights at step 0 times fan-in, of each trained layer but normalisations, in
    forward order; NaN where its fan-in or weights are unknown. What a normalisation gets at once
    may be of any size, and is left out.
    """
    trained = np.flatnonzero(roles.only("trained") == 1)
    judged = [
        place
        for place in trained[np.argsort(roles.rank[trained])].tolist()
        if "Norm" not in roles.layers[place].module
        and roles.layers[place].order >= 0
        and place not in roles.feeds_normalization
    ]
    sizes = np.square(figures["weight_rms"][0, judged].astype(np.float64))
    return sizes * roles.fan_in[judged]


def has_large_embedding(figures: Figures, roles: Roles) -> bool:
    """Whether the last layer has a matrix and no parameter of its own, and an embedding's are
    larger than those of that layer should be.
    """
    last = roles.layers[roles.last]
    if last.weights or last.width is None:
        return False
    sizes = [
        float(figures["weight_rms"][0, place])
        for place, each in enumerate(roles.layers)
        if each.module == "Embedding"
    ]
    return any(size**2 * last.width[0] >= LARGEST_GAIN for size in sizes)


def large_scales(figures: Figures, roles: Roles) -> list[int]:
    """Entries that are trained, have no matrix, and begin with large weights."""
    return [
        place
        for place, facts in enumerate(roles.layers)
        if figures["weight_rms"][0, place] > _LARGE_SCALE
        and facts.width is None
        and facts.trainable
        and facts.module != "Embedding"
        and "weight" in facts.weights
    ]


def is_beyond_weights(figures: Figures, roles: Roles) -> bool:
    """Whether the output at step 0 is larger than usual weights make any of what comes before, or
    divided by far less than 1 before its softmax.
    """
    if figures["temperature"][0] < _SHARP:
        return True
    mean, std = figures["activation_mean"][0], figures["activation_std"][0]
    before = np.sqrt(np.square(mean) + np.square(std))[roles.rank < roles.rank[roles.last]]
    largest = np.fmax.reduce(before, initial=np.fmax(figures["input_rms"][0], 1.0))
    return bool(figures["output_rms"][0] > LARGEST_GAIN * largest)


def are_large_throughout(figures: Figures, roles: Roles) -> bool:
    """Whether the weights of half of the layers or more, and of two, enlarge what comes to them."""
    gains = gains_at_the_start(figures, roles)
    gains = gains[~np.isnan(gains)]
    return len(gains) > 1 and bool((gains >= LARGEST_GAIN).mean() >= _HALF)
