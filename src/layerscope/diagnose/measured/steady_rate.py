"""Where a loss that does not fall says something: one optimizer, whose rate does not rise."""

import numpy as np

from layerscope.diagnose.measured.figures import Figures, Flags


class SteadyRate:
    """Follows the learning rate and the optimizers, block by block.

    Args:
        window: steps for which a rise of the rate is remembered.
    """

    def __init__(self, window: int) -> None:
        self._window = self._since_rise = window
        self._rate, self._several = np.nan, False

    def has_not_risen(self, figures: Figures) -> Flags:
        """Whether the rate has not risen within the window, [steps]."""
        rates = figures["learning_rate"].astype(np.float64)
        rises = np.append(self._rate, rates)
        places = np.arange(len(rates))
        risen = np.where(rises[1:] > rises[:-1], places, -1 - self._since_rise)
        since = places - np.maximum.accumulate(risen)
        self._rate, self._since_rise = float(rates[-1]), int(since[-1])
        return since >= self._window

    def is_alone(self, figures: Figures) -> Flags:
        """Whether there has been one optimizer only, [steps]."""
        several = (
            np.logical_or.accumulate((figures["optimizer"] > 0) | (figures["optimizers"] > 1))
            | self._several
        )
        self._several = bool(several[-1])
        return ~several

    def state(self) -> list[float]:
        """All of it, as plain types."""
        return [self._rate, self._since_rise, self._several]

    def load_state(self, state: list[float]) -> None:
        """Be as `state` was."""
        self._rate, self._since_rise, self._several = state[0], int(state[1]), bool(state[2])
