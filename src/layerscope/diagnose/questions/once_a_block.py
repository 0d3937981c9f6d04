"""What several rules ask of a run: worked out once for each block of steps."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.memory import Memory

_Number = TypeVar("_Number", bound=np.generic)
Question = Callable[[Figures, Memory], npt.NDArray[_Number]]


def once_a_block(function: Question[_Number]) -> Question[_Number]:
    """Make a function of figures and memory one that all rules share.

    It is called once for each block, with a memory of its own, of the run and not of a rule. What
    it gives is read-only.
    """

    @wraps(function)
    def asked(figures: Figures, memory: Memory) -> npt.NDArray[_Number]:
        answers = memory.shared.answers_for(figures)
        name = function.__name__
        if name not in answers:
            answer = function(figures, memory.shared.memory_of(name, memory))
            answer.flags.writeable = False
            answers[name] = answer
        return answers[name]

    return asked
