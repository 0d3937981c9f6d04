"""Since when each layer shows a rule's symptom: streaks that last become onsets."""

import math
from typing import Any

import numpy as np

from layerscope.diagnose.measured.figures import Steps
from layerscope.diagnose.symptoms import Symptoms

LEVELS = 3
_NEVER = -1


class Onsets:
    """Of one rule: where and when each severity began. Steps are taken one by one or in blocks.

    All arrays are float64 [LEVELS, layers]: row 0 for a note or worse, row 1 for a warning or
    worse, row 2 for critical. float64 holds steps up to 2**53.

    Attributes:
        step: the onset, once a symptom has lasted; -1 before.
        value: what was measured then.
        cause: which of the rule's advice applied then.
        last: of each level, the last step in which any layer showed it; -1 if none did.
        worst: the most extreme value of a layer that showed anything; NaN before.
        symptoms: the last that had any, for their limits and words.
    """

    def __init__(self, layers: int) -> None:
        shape = (LEVELS, layers)
        self._streak = np.zeros(shape)
        self._begun = np.full(shape, float(_NEVER))
        self._begun_value = np.full(shape, np.nan)
        self._begun_cause = np.zeros(shape)
        self.step = np.full(shape, float(_NEVER))
        self.value = np.full(shape, np.nan)
        self.cause = np.zeros(shape)
        self.last = [_NEVER] * LEVELS
        self.worst = math.nan
        self.symptoms: Symptoms | None = None
        self._open = False

    @property
    def level(self) -> int:
        """The highest severity with an onset: 0 none, 1 note, 2 warning, 3 critical."""
        return max((i + 1 for i in range(LEVELS) if (self.step[i] >= 0).any()), default=0)

    def take(self, steps: Steps, symptoms: Symptoms) -> None:
        """Go on by a block of steps."""
        severity, values = symptoms.severity, symptoms.values
        if severity is None or not severity.any():
            if self._open:  # a layer that was judged is well; one that was not stays as it is
                self._streak[:, ~np.isnan(values).all(axis=0)] = 0
                self._open = bool(self._streak.any())
            return
        self.symptoms = symptoms
        ill = severity > 0
        extreme = values[ill]
        further = np.fmin if symptoms.falling else np.fmax
        self.worst = float(further.reduce(extreme, initial=self.worst))
        for row in range(LEVELS if self._open else int(severity.max())):
            shown = severity > row
            of_layers = shown.any(axis=0)
            if of_layers.any():
                self.last[row] = int(steps[np.flatnonzero(shown.any(axis=1))[-1]])
            undecided = (of_layers | (self._streak[row] > 0)) & (self.step[row] < 0)
            for layer in np.flatnonzero(undecided).tolist():
                self._follow(row, layer, steps, symptoms, shown[:, layer].tolist())
        self._open = bool(self._streak.any())

    def _follow(
        self, row: int, layer: int, steps: Steps, symptoms: Symptoms, shown: list[bool]
    ) -> None:
        """Lengthen, end or begin one layer's streak, step by step, up to its onset."""
        at = (row, layer)
        streak = int(self._streak[at])
        values = symptoms.values[:, layer].tolist()
        for place, (is_shown, value) in enumerate(zip(shown, values, strict=True)):
            if not is_shown:
                streak = streak if math.isnan(value) else 0
                continue
            if streak == 0:
                since, cause = symptoms.since, symptoms.cause
                self._begun[at] = steps[place] if since is None else since[place, layer]
                self._begun_value[at] = value
                self._begun_cause[at] = 0 if cause is None else cause[place, layer]
            streak += 1
            if streak >= symptoms.lasting:
                self.step[at] = self._begun[at]
                self.value[at] = self._begun_value[at]
                self.cause[at] = self._begun_cause[at]
                streak = 0
                break
        self._streak[at] = streak

    def grow(self, new: int) -> None:
        """Make room for `new` layers that have come in at the end."""
        added = Onsets(new)
        for name in _ARRAYS:
            both = [getattr(self, name), getattr(added, name)]
            setattr(self, name, np.concatenate(both, axis=1))

    def state(self) -> dict[str, Any]:
        """All but the symptoms' words, as plain types."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        return arrays | {"last": list(self.last), "worst": self.worst}

    def load_state(self, state: dict[str, Any]) -> None:
        """Be as `state` was."""
        shape = self.step.shape
        for name in _ARRAYS:
            setattr(self, name, np.array(state[name], np.float64).reshape(shape))
        self.last, self.worst = list(state["last"]), float(state["worst"])
        self._open = bool(self._streak.any())


_ARRAYS = ("_streak", "_begun", "_begun_value", "_begun_cause", "step", "value", "cause")
