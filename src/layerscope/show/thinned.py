"""The figures of a whole run, however long, in bounded memory."""

from __future__ import annotations

import numpy as np

from layerscope.diagnose.figures import Figures


class Thinned:
    """Keeps every step at first, then every 2nd, every 4th and so on, as many as a picture shows.

    Args:
        most: steps that are kept, at least 2; half as many at least, once a run is longer.

    Raises:
        ValueError: most is below 2.
    """

    def __init__(self, most: int = 400) -> None:
        if most < 2:
            raise ValueError(f"most must be at least 2, got {most}")
        self._most = most
        self._stride = 1
        self._seen = 0
        self._kept: list[Figures] = []
        self._count = 0

    def add(self, figures: Figures) -> None:
        """Take in the next steps; where the layers have changed, those before are forgotten."""
        if self._kept and figures.layers != self._kept[0].layers:
            self._kept.clear()
            self._count = 0
        number = np.arange(self._seen, self._seen + len(figures.steps))
        self._seen += len(figures.steps)
        chosen = number % self._stride == 0
        if chosen.any():
            self._kept.append(_part(figures, chosen))
            self._count += int(chosen.sum())
        while self._count > self._most:
            whole = self.figures()
            self._stride *= 2
            every_second = np.arange(len(whole.steps)) % 2 == 0
            self._kept = [_part(whole, every_second)]
            self._count = int(every_second.sum())

    def figures(self) -> Figures:
        """What is kept, in order of step."""
        if not self._kept:
            return Figures.empty((), [])
        return Figures(
            self._kept[0].layers,
            np.concatenate([part.steps for part in self._kept]),
            np.concatenate([part.of_layers for part in self._kept]),
            np.concatenate([part.of_steps for part in self._kept]),
        )


def _part(figures: Figures, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Figures:
    return Figures(
        figures.layers, figures.steps[chosen], figures.of_layers[chosen], figures.of_steps[chosen]
    )
