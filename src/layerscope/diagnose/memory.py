"""What a rule remembers from one block of steps to the next, in plain arrays; and all of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.measured.figures import Figures, Flags, Series, Values
from layerscope.diagnose.measured.last_known import last_known, note_first
from layerscope.diagnose.measured.loss_curve import LossCurve
from layerscope.diagnose.measured.roles import Roles


class Memory:
    """One rule's memory in one run: a checkpoint can hold it.

    Args:
        roles: of the layers that the run has so far.
        loss_curve: of the run; all its rules share it.
        shared: what else they share.

    Attributes:
        roles: the same; the judge replaces them when layers appear in the middle of a run.
    """

    def __init__(
        self, roles: Roles, loss_curve: LossCurve | None = None, shared: "Shared | None" = None
    ) -> None:
        self.roles = roles
        self.loss_curve = loss_curve or LossCurve()
        self.shared = shared or Shared()
        self._of_layers: dict[str, Series] = {}
        self._of_run: dict[str, Series] = {}

    def of_layers(self, name: str, width: int = 1) -> Series:
        """Float64 [width, layers], to be written in place; NaN where nothing was written yet."""
        if name not in self._of_layers:
            self._of_layers[name] = np.full((width, len(self.roles.layers)), np.nan)
        return self._of_layers[name]

    def of_run(self, name: str, width: int = 1) -> Series:
        """Float64 [width], to be written in place; NaN where nothing was written yet."""
        if name not in self._of_run:
            self._of_run[name] = np.full(width, np.nan)
        return self._of_run[name]

    def known(self, name: str, values: Values) -> Series:
        """A figure that is measured in some steps only, as last known in each, [steps]."""
        return last_known(values.astype(np.float64), self.of_run(name))

    def known_of_layers(self, name: str, values: Values) -> Series:
        """The same of a figure of layers, [steps, layers]."""
        return last_known(values.astype(np.float64), self.of_layers(name)[0])

    def first(self, name: str, values: Values) -> float:
        """What a figure was when it was first known; NaN before."""
        first = self.of_run(name)
        note_first(values[:, np.newaxis], first)
        return float(first[0])

    def so_far(self, name: str, values: Values | Flags) -> Series:
        """The sum of all values up to each step, [steps]; of flags, how often it has been so."""
        before = self.of_run(name)
        total: Series = np.nan_to_num(before[0]) + np.cumsum(values)
        before[0] = total[-1]
        return total

    def ever(self, name: str, so: Flags | np.bool_) -> Flags:
        """Whether it has been so in a step up to each, [steps]."""
        before = self.of_run(name)
        ever: Flags = np.logical_or.accumulate(so) | (before[0] == 1)
        before[0] = float(ever[-1])
        return ever

    def highest(self, name: str, values: Values) -> Series:
        """The largest value up to each step, [steps]; NaN is none."""
        before = self.of_run(name)
        highest: Series = np.fmax.accumulate(np.append(before, values))[1:]
        before[0] = highest[-1]
        return highest

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


class Shared:
    """Answers to what all rules ask of a run's present block, and what their functions remember."""

    def __init__(self) -> None:
        self._memories: dict[str, Memory] = {}
        self._block: Figures | None = None
        self._answers: dict[str, npt.NDArray[Any]] = {}

    def answers_for(self, figures: Figures) -> dict[str, npt.NDArray[Any]]:
        """By function, what has been worked out for this block."""
        if figures is not self._block:
            self._block, self._answers = figures, {}
        return self._answers

    def memory_of(self, name: str, memory: Memory) -> Memory:
        """Of one function, and of no layers; the rule that asks first has the run."""
        if name not in self._memories:
            self._memories[name] = Memory(memory.roles, memory.loss_curve, self)
        return self._memories[name]

    def state(self) -> dict[str, Any]:
        """What the functions remember, as plain types."""
        return {name: memory.state() for name, memory in self._memories.items()}

    def load_state(self, state: Mapping[str, Any], memory: Memory) -> None:
        """Be as `state` was."""
        self._block, self._answers, self._memories = None, {}, {}
        for name, remembered in state.items():
            self.memory_of(name, memory).load_state(remembered)
