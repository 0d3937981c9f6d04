"""The function that a network's output has been through last, and the range that it leaves."""

import math
from collections.abc import Mapping
from enum import IntEnum


class LastFunction(IntEnum):
    """By their usual names; LINEAR is a product or convolution and no function after it, RECURRENT
    the state of an LSTM or a GRU, CLAMP a cut at bounds of its own, NORMALIZED a batch,
    layer or group normalisation without weights of its own, NONE any other, or none.
    """

    NONE = 0
    SIGMOID = 1
    SOFTMAX = 2
    TANH = 3
    RELU = 4
    SOFTPLUS = 5
    ELU = 6
    LOGSIGMOID = 7
    LOG_SOFTMAX = 8
    LINEAR = 9
    RECURRENT = 10
    CLAMP = 11
    NORMALIZED = 12

    @property
    def range(self) -> tuple[float, float]:
        """Between which values all outputs lie."""
        return _RANGES.get(self, (-math.inf, math.inf))


_RANGES: Mapping[LastFunction, tuple[float, float]] = {
    LastFunction.SIGMOID: (0.0, 1.0),
    LastFunction.SOFTMAX: (0.0, 1.0),
    LastFunction.TANH: (-1.0, 1.0),
    LastFunction.RECURRENT: (-1.0, 1.0),
    LastFunction.RELU: (0.0, math.inf),
    LastFunction.SOFTPLUS: (0.0, math.inf),
    LastFunction.ELU: (-1.0, math.inf),
    LastFunction.LOGSIGMOID: (-math.inf, 0.0),
    LastFunction.LOG_SOFTMAX: (-math.inf, 0.0),
}
