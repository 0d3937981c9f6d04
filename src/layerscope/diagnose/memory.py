"""What a rule remembers from one block of steps to the next, in plain arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.last_known import last_known
from layerscope.diagnose.loss_curve import LossCurve
from layerscope.diagnose.roles import Roles
from layerscope.diagnose.shared import Shared

Remembered = npt.NDArray[np.float64]


class Memory:
    """One rule's memory in one run: a checkpoint can hold it.

    Args:
        roles: of the layers that the run has so far.
        loss_curve: of the run; all its rules share it.
        shared: what else they share.

    Attributes:
        roles: the same; the judge replaces them when layers appear in the middle of a run.
        loss_curve, shared: as given.
    """

    def __init__(
        self, roles: Roles, loss_curve: LossCurve | None = None, shared: Shared | None = None
    ) -> None:
        self.roles = roles
        self.loss_curve = loss_curve or LossCurve()
        self.shared = shared or Shared()
        self._of_layers: dict[str, Remembered] = {}
        self._of_run: dict[str, Remembered] = {}

    def of_layers(self, name: str, width: int = 1) -> Remembered:
        """Float64 [width, layers], to be written in place; NaN where nothing was written yet."""
        if name not in self._of_layers:
            self._of_layers[name] = np.full((width, len(self.roles.layers)), np.nan)
        return self._of_layers[name]

    def of_run(self, name: str, width: int = 1) -> Remembered:
        """Float64 [width], to be written in place; NaN where nothing was written yet."""
        if name not in self._of_run:
            self._of_run[name] = np.full(width, np.nan)
        return self._of_run[name]

    def known(self, name: str, values: npt.NDArray[np.floating]) -> Remembered:
        """A figure that is measured in some steps only, as last known in each, [steps]."""
        return last_known(values.astype(np.float64), self.of_run(name))

    def ever(self, name: str, so: npt.NDArray[np.bool_] | np.bool_) -> npt.NDArray[np.bool_]:
        """Whether it has been so in a step up to each, [steps]."""
        before = self.of_run(name)
        ever: npt.NDArray[np.bool_] = np.logical_or.accumulate(so) | (before[0] == 1)
        before[0] = float(ever[-1])
        return ever

    def highest(self, name: str, values: npt.NDArray[np.floating]) -> Remembered:
        """The largest value up to each step, [steps]; NaN is none."""
        before = self.of_run(name)
        highest: Remembered = np.fmax.accumulate(np.append(before, values))[1:]
        before[0] = highest[-1]
        return highest

    def of_all_rules(self) -> "Memory":
        """An empty memory of the same run, for what its rules share: it remembers no layers."""
        return Memory(self.roles, self.loss_curve, self.shared)

    def grow(self, roles: Roles) -> None:
        """Make room for layers that have come in at the end."""
        new = len(roles.layers) - len(self.roles.layers)
        self.roles = roles
        for name, array in self._of_layers.items():
            self._of_layers[name] = np.pad(array, ((0, 0), (0, new)), constant_values=np.nan)

    def state(self) -> dict[str, Any]:
        """All of it, as plain types."""
        return {
            "of_layers": {name: array.tolist() for name, array in self._of_layers.items()},
            "of_run": {name: array.tolist() for name, array in self._of_run.items()},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Remember what `state` gave, of as many layers as there are now."""
        layers = len(self.roles.layers)
        self._of_layers = {
            name: np.array(values, np.float64).reshape(len(values), layers)
            for name, values in state["of_layers"].items()
        }
        self._of_run = {
            name: np.array(values, np.float64) for name, values in state["of_run"].items()
        }
