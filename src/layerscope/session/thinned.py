"""The figures of a whole run, however long, in bounded memory."""

import numpy as np

from layerscope.arguments import at_least
from layerscope.diagnose.figures import Figures


class Thinned:
    """Keeps what pictures of a run need: evenly spaced steps, the last one, and, as updates are not
    measured at every step, evenly spaced ones of those with updates.

    Args:
        most: steps that are kept, of either kind, at least 2.

    Raises:
        ValueError: most is below 2.
    """

    def __init__(self, most: int = 400) -> None:
        at_least(2, most=most)
        self._kinds = (_Spaced(most), _Spaced(most))
        self._last: Figures | None = None

    def add(self, figures: Figures) -> None:
        """Take in the next steps; where the layers have changed, those before are forgotten."""
        if not len(figures.steps):
            return
        if self._last is not None and figures.layers != self._last.layers:
            self._kinds = (_Spaced(self._kinds[0].most), _Spaced(self._kinds[1].most))
        updated = np.isfinite(figures["update_to_weight"]).any(1)
        self._kinds[0].add(figures)
        self._kinds[1].add(figures.of_rows(np.flatnonzero(updated)))
        self._last = figures.of_rows(slice(-1, None))

    def figures(self) -> Figures:
        """What is kept, in order of step."""
        if self._last is None:
            return Figures.empty((), [])
        whole = Figures.joined([*self._kinds[0].kept, *self._kinds[1].kept, self._last])
        return whole.of_rows(np.unique(whole.steps, return_index=True)[1])


class _Spaced:
    """Every step at first, then every 2nd, every 4th and so on."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: list[Figures] = []
        self._stride = 1
        self._seen = self._count = 0

    def add(self, figures: Figures) -> None:
        number = np.arange(self._seen, self._seen + len(figures.steps))
        self._seen += len(figures.steps)
        chosen = np.flatnonzero(number % self._stride == 0)
        if not len(chosen):
            return
        self.kept.append(figures.of_rows(chosen))
        self._count += len(chosen)
        while self._count > self.most:
            whole = Figures.joined(self.kept)
            self._stride *= 2
            self.kept = [whole.of_rows(slice(None, None, 2))]
            self._count = len(self.kept[0].steps)
