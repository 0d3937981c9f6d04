"""What a run measured, as arrays: what the rules judge, and what an event file keeps of each step.

One number per step, layer and figure, float32: the same numbers whether a rule sees them while the
network trains or reads them back from the event files, so that both come to the same findings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.measured.figure_names import (
    LAYER_COLUMN,
    LAYER_FIGURES,
    STEP_COLUMN,
    STEP_FIGURES,
)
from layerscope.diagnose.measured.layer_facts import LayerFacts

Array = npt.NDArray[np.float32]
Steps = npt.NDArray[np.int64]
Values = npt.NDArray[np.floating]
Series = npt.NDArray[np.float64]
"""What rules make of figures: a number for each step, or for each step and layer."""
Flags = npt.NDArray[np.bool_]
"""Whether something is so, likewise."""


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """The figures of some steps of a run, in order of step.

    Rules look at one figure at a time: those that `empty` and `joined` make have each figure's
    numbers side by side in memory, which numpy reads several times as fast.

    Attributes:
        layers: whose figures; in network order.
        steps: int64 [steps].
        of_layers: float32 [steps, layers, len(LAYER_FIGURES)].
        of_steps: float32 [steps, len(STEP_FIGURES)].
    """

    layers: tuple[LayerFacts, ...]
    steps: Steps
    of_layers: Array
    of_steps: Array

    def __getitem__(self, figure: str) -> Array:
        """A layer figure as [steps, layers], or a step figure as [steps]; KeyError if unknown."""
        if figure in STEP_COLUMN:
            return self.of_steps[:, STEP_COLUMN[figure]]
        return self.of_layers[:, :, LAYER_COLUMN[figure]]

    def values_of_units(self, places: int | Sequence[int]) -> Array:
        """How many values a unit gives in a step, [steps] of one layer, [steps, layers] of more."""
        return self["activation_count"][:, places] / self["units"][:, places]

    @classmethod
    def empty(cls, layers: Sequence[LayerFacts], steps: Sequence[int]) -> Figures:
        """Figures that are all NaN, to be filled in."""
        of_layers = np.full((len(LAYER_FIGURES), len(steps), len(layers)), np.nan, np.float32)
        of_steps = np.full((len(STEP_FIGURES), len(steps)), np.nan, np.float32)
        return cls(
            tuple(layers), np.asarray(steps, np.int64), of_layers.transpose(1, 2, 0), of_steps.T
        )

    @classmethod
    def joined(cls, parts: Sequence[Figures]) -> Figures:
        """The figures of several blocks of steps, at least one, of the same layers, as one."""
        if len(parts) == 1:
            return parts[0]
        of_layers = np.concatenate([part.of_layers.transpose(2, 0, 1) for part in parts], axis=1)
        return cls(
            parts[0].layers,
            np.concatenate([part.steps for part in parts]),
            of_layers.transpose(1, 2, 0),
            np.concatenate([part.of_steps.T for part in parts], axis=1).T,
        )

    def of_rows(self, rows: slice | npt.NDArray[np.intp]) -> Figures:
        """The figures of some of the steps, by their places."""
        return Figures(self.layers, self.steps[rows], self.of_layers[rows], self.of_steps[rows])

    def among(self, layers: tuple[LayerFacts, ...], columns: Sequence[int]) -> Figures:
        """The same figures as those of more layers, NaN for those that were not there.

        Args:
            columns: of each of `self.layers`, its place among all.
        """
        more = Figures.empty(layers, self.steps.tolist())
        more.of_layers[:, columns] = self.of_layers
        return Figures(layers, self.steps, more.of_layers, self.of_steps)

    def without_skipped(self) -> Figures:
        """The same figures, but for the gradients of steps that a gradient scaler skipped.

        Such a step has overflown because the loss was scaled too far. Its gradients are NaN here,
        so that they are not judged.
        """
        skipped = np.flatnonzero(self["skipped"] > 0)
        if not len(skipped):
            return self
        of_layers = self.of_layers.copy(order="K")
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
