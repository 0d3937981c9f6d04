"""How far a run's loss was ever thrown up."""

from typing import Any

import numpy as np

from layerscope.diagnose.measured.figures import Series, Values

ENOUGH = 8
"""Samples whose mean loss says something. A mean of 8 squared errors, each as a normal residual has
it, is above three times what is expected once in 500 times."""


class LossPeak:
    """The highest loss against the first: of batches of few samples, means of so many losses as
    make enough of them. A batch's size that is not known is large enough.
    """

    def __init__(self) -> None:
        self._first: list[float] = []
        self._recent: list[float] = []
        self._highest, self._samples = -np.inf, float(ENOUGH)

    def follow(self, losses: Series, samples: Values) -> None:
        """Take a block's losses that are known, at least one; and in which sizes batches came."""
        sizes = samples[~np.isnan(samples)]
        self._samples = float(sizes[-1]) if len(sizes) else self._samples
        together = int(np.ceil(ENOUGH / min(max(self._samples, 1.0), ENOUGH)))
        self._first += losses[: max(0, together - len(self._first))].tolist()
        if together == 1:
            highest = losses.max()
        else:
            joined = np.append(self._recent, losses)
            windows = np.lib.stride_tricks.sliding_window_view(joined, min(together, len(joined)))
            highest = windows.mean(1).max()
        self._recent = np.append(self._recent, losses)[1 - ENOUGH :].tolist()
        self._highest = max(self._highest, float(highest))

    def is_beyond(self, times: float) -> bool:
        """Whether it was so many times the first, or more; False before any."""
        return bool(self._first) and self._highest >= times * abs(float(np.mean(self._first)))

    def state(self) -> dict[str, Any]:
        """All of it, as plain types."""
        return {
            "first": list(self._first),
            "recent": list(self._recent),
            "highest": self._highest,
            "samples": self._samples,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Be as `state` was."""
        self._first, self._recent = list(state["first"]), list(state["recent"])
        self._highest, self._samples = float(state["highest"]), float(state["samples"])
