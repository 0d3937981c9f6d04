"""What several rules ask of a run: worked out once for each block of steps."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figures import Figures

if TYPE_CHECKING:
    from layerscope.diagnose.memory import Memory

_Number = TypeVar("_Number", bound=np.generic)
Question = Callable[[Figures, "Memory"], npt.NDArray[_Number]]


def once_a_block(function: Question[_Number]) -> Question[_Number]:
    """Make a function of figures and memory one that all rules share.

    It is called once for each block, with a memory of its own, of the run and not of a rule. What
    it gives is read-only.
    """

    @wraps(function)
    def asked(figures: Figures, memory: "Memory") -> npt.NDArray[_Number]:
        answers = memory.shared.answers_for(figures)
        name = function.__name__
        if name not in answers:
            answer = function(figures, memory.shared.memory_of(name, memory))
            answer.flags.writeable = False
            answers[name] = answer
        answer_so_far: npt.NDArray[_Number] = answers[name]
        return answer_so_far

    return asked


class Shared:
    """The answers of a run's present block, and what their functions remember."""

    def __init__(self) -> None:
        self._memories: dict[str, Memory] = {}
        self._block: Figures | None = None
        self._answers: dict[str, npt.NDArray[Any]] = {}

    def answers_for(self, figures: Figures) -> dict[str, npt.NDArray[Any]]:
        """By function, what has been worked out for this block."""
        if figures is not self._block:
            self._block, self._answers = figures, {}
        return self._answers

    def memory_of(self, name: str, memory: "Memory") -> "Memory":
        """Of one function; made from that of the rule that asks first."""
        if name not in self._memories:
            self._memories[name] = memory.of_all_rules()
        return self._memories[name]

    def state(self) -> dict[str, Any]:
        """What the functions remember, as plain types."""
        return {name: memory.state() for name, memory in self._memories.items()}

    def load_state(self, state: Mapping[str, Any], memory: "Memory") -> None:
        """Be as `state` was.

        Args:
            memory: of any rule.
        """
        self._block, self._answers, self._memories = None, {}, {}
        for name, remembered in state.items():
            self.memory_of(name, memory).load_state(remembered)
