"""What a run measured, as arrays: what the rules judge, and what an event file keeps of each step.

One number per step, layer and figure, float32: the same numbers whether a rule sees them while the
network trains or reads them back from the event files, so that both come to the same findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figure_names import (
    LAYER_COLUMN,
    LAYER_FIGURES,
    STEP_COLUMN,
    STEP_FIGURES,
)
from layerscope.diagnose.layer_facts import LayerFacts

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """The figures of some steps of a run, in order of step.

    Attributes:
        layers: whose figures; in network order.
        steps: int64 [steps].
        of_layers: float32 [steps, layers, len(LAYER_FIGURES)].
        of_steps: float32 [steps, len(STEP_FIGURES)].
    """

    layers: tuple[LayerFacts, ...]
    steps: npt.NDArray[np.int64]
    of_layers: Array
    of_steps: Array

    def __getitem__(self, figure: str) -> Array:
        """A layer figure as [steps, layers], or a step figure as [steps]; KeyError if unknown."""
        if figure in STEP_COLUMN:
            return self.of_steps[:, STEP_COLUMN[figure]]
        return self.of_layers[:, :, LAYER_COLUMN[figure]]

    @classmethod
    def empty(cls, layers: Sequence[LayerFacts], steps: Sequence[int]) -> Figures:
        """Figures that are all NaN, to be filled in."""
        return cls(
            tuple(layers),
            np.asarray(steps, np.int64),
            np.full((len(steps), len(layers), len(LAYER_FIGURES)), np.nan, np.float32),
            np.full((len(steps), len(STEP_FIGURES)), np.nan, np.float32),
        )

    def of_rows(self, rows: slice | npt.NDArray[np.intp]) -> Figures:
        """The figures of some of the steps, by their places."""
        return Figures(self.layers, self.steps[rows], self.of_layers[rows], self.of_steps[rows])

    def among(self, layers: tuple[LayerFacts, ...], columns: Sequence[int]) -> Figures:
        """The same figures as those of more layers, NaN for those that were not there.

        Args:
            columns: of each of `self.layers`, its place among all.
        """
        shape = (len(self.steps), len(layers), len(LAYER_FIGURES))
        of_layers = np.full(shape, np.nan, np.float32)
        of_layers[:, columns] = self.of_layers
        return Figures(layers, self.steps, of_layers, self.of_steps)

    def without_skipped(self) -> Figures:
        """The same figures, but for the gradients of steps that a gradient scaler skipped.

        Such a step has overflown because the loss was scaled too far. Its gradients are NaN here,
        so that they are not judged.
        """
        skipped = np.flatnonzero(self["skipped"] > 0)
        if not len(skipped):
            return self
        of_layers = self.of_layers.copy()
        layers = np.arange(of_layers.shape[1])
        of_layers[np.ix_(skipped, layers, _GRADIENT_COLUMNS)] = np.nan
        return Figures(self.layers, self.steps, of_layers, self.of_steps)


_GRADIENT_COLUMNS = np.array(
    [
        column
        for name, column in LAYER_COLUMN.items()
        if name.startswith(("activation_grad", "weight_grad", "update"))
    ]
)
