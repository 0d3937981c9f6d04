"""What is known of an activation function before it runs: its range, and where it saturates."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import nn

_UNBOUNDED = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Nonlinearity:
    """An activation function as the instrument sees it.

    Attributes:
        name: the class's name in lower case.
        bounds: the range of its outputs where both ends are finite, else None.
        odd: f(-x) = -f(x), so that a healthy layer's mean is about 0.
    """

    name: str
    bounds: tuple[float, float] | None = None
    odd: bool = False

    def saturated_beyond(self, threshold: float) -> tuple[float, float]:
        """The interval outside of which an output is saturated.

        Args:
            threshold: as for tanh, 0 to 1: the share of the way from the middle of the range to
                its ends. As sigmoid(x) = (1 + tanh(x / 2)) / 2, one threshold serves both.
        """
        if self.bounds is None:
            return _UNBOUNDED
        low, high = self.bounds
        if (low, high) == (-1.0, 1.0):
            return -threshold, threshold
        middle, reach = (low + high) / 2, (high - low) / 2
        return middle - threshold * reach, middle + threshold * reach


_BOUNDED: dict[type[nn.Module], tuple[tuple[float, float], bool]] = {
    nn.Tanh: ((-1.0, 1.0), True),
    nn.Hardtanh: ((-1.0, 1.0), True),
    nn.Softsign: ((-1.0, 1.0), True),
    nn.Sigmoid: ((0.0, 1.0), False),
    nn.Hardsigmoid: ((0.0, 1.0), False),
    nn.ReLU6: ((0.0, 6.0), False),
    nn.Softmax: ((0.0, 1.0), False),
}

_UNBOUNDED_TYPES: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.RReLU,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Hardswish,
    nn.Softplus,
    nn.LogSigmoid,
    nn.LogSoftmax,
    nn.Softmin,
    nn.Threshold,
    nn.Hardshrink,
    nn.Softshrink,
    nn.Tanhshrink,
    nn.GLU,
)


def nonlinearity_of(module: nn.Module) -> Nonlinearity | None:
    """The activation function that a module is, or None if it is none that is known."""
    kind = type(module)
    if kind in _BOUNDED:
        bounds, odd = _BOUNDED[kind]
        if isinstance(module, nn.Hardtanh) and not isinstance(module, nn.ReLU6):
            bounds = (float(module.min_val), float(module.max_val))
            odd = bounds[0] == -bounds[1]
        return Nonlinearity(kind.__name__.lower(), bounds, odd)
    if kind in _UNBOUNDED_TYPES:
        return Nonlinearity(kind.__name__.lower())
    return None
