"""Figures made ready for the rules: every layer in its column, thrown-away gradients left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerscope.diagnose.figures import LAYER_FIGURES, Figures, LayerFacts

_OF_GRADIENTS = np.array(
    [
        place
        for place, name in enumerate(LAYER_FIGURES)
        if name.startswith(("activation_grad", "weight_grad", "update"))
    ]
)


def aligned(figures: Figures, layers: tuple[LayerFacts, ...], columns: Sequence[int]) -> Figures:
    """The figures as those of `layers`, NaN for those that they don't have.

    Args:
        figures: of some of the layers.
        layers: all of them.
        columns: of each of the figures' layers, its place among all.
    """
    shape = (len(figures.steps), len(layers), len(LAYER_FIGURES))
    of_layers = np.full(shape, np.nan, np.float32)
    of_layers[:, columns] = figures.of_layers
    return Figures(layers, figures.steps, of_layers, figures.of_steps)


def without_skipped(figures: Figures) -> Figures:
    """The figures without the gradients of steps that a gradient scaler skipped.

    Such a step has overflown because the loss was scaled too far: nobody learns from it.
    """
    skipped = np.flatnonzero(figures["skipped"] > 0)
    if not len(skipped):
        return figures
    of_layers = figures.of_layers.copy()
    layers = np.arange(of_layers.shape[1])
    of_layers[np.ix_(skipped, layers, _OF_GRADIENTS)] = np.nan
    return Figures(figures.layers, figures.steps, of_layers, figures.of_steps)
