"""What is known of an activation function before it runs: its range, and where it saturates."""

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import nn

from layerscope.record.network.measured_function import measured_function

_UNBOUNDED = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Nonlinearity:
    """An activation function as the instrument sees it.

    Attributes:
        name: torch's name of it in lower case; of a function that torch has not, the class's.
        bounds: the range of its outputs where both ends are finite, else None.
        odd: f(-x) = -f(x), so that a healthy layer's mean is about 0.
        shut_at_zero: whether it is 0 at and below 0, as a ReLU is, and above 0 above it.
    """

    name: str
    bounds: tuple[float, float] | None = None
    odd: bool = False
    shut_at_zero: bool = False

    @property
    def can_die(self) -> bool:
        """Whether there are outputs at which it passes no gradient on."""
        return self.active_within(0.5) != _UNBOUNDED

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
        # Half of a ReLU6's outputs are 0 as a ReLU's are, and most of a softmax's are small.
        one_sided = self.shut_at_zero or self.name == "softmax"
        return -math.inf if one_sided else middle - threshold * reach, middle + threshold * reach

    def active_within(self, threshold: float) -> tuple[float, float]:
        """The open interval of outputs at which the function passes a gradient on.

        A unit that is never there is dead: a ReLU's at 0, a tanh's that is saturated on every
        sample. Infinite on both sides for a function that has no such place.
        """
        if self.shut_at_zero:
            return 0.0, math.inf if self.bounds is None else self.bounds[1]
        if self.bounds is None or self.name == "softmax":
            return _UNBOUNDED
        return self.saturated_beyond(threshold)


_SHUT_AT_ZERO = (nn.ReLU, nn.ReLU6)

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


def _torch_class(kind: type[nn.Module]) -> type[nn.Module]:
    """Of a subclass that computes what torch's own class does, that class."""
    for base in kind.__mro__:
        if base in _BOUNDED or base in _UNBOUNDED_TYPES:
            own = getattr(base, "forward", None)
            return base if getattr(kind, "forward", None) is own else kind
    return kind


_BY_NAME = {kind.__name__.lower(): kind for kind in (*_BOUNDED, *_UNBOUNDED_TYPES)}

_measured: WeakKeyDictionary[nn.Module, Nonlinearity | None] = WeakKeyDictionary()


def nonlinearity_of(module: nn.Module) -> Nonlinearity | None:
    """The activation function that a module is, or None if it is none.

    Of torch's classes it is known. A module of another class is one if what it computes, in some
    points, is a function of each element alone that is no straight line (`measured_function`).
    """
    kind = _torch_class(type(module))
    if kind in _BOUNDED and isinstance(module, nn.Hardtanh) and not isinstance(module, nn.ReLU6):
        bounds = (float(module.min_val), float(module.max_val))
        return Nonlinearity("hardtanh", bounds, odd=bounds[0] == -bounds[1])
    if isinstance(module, nn.LeakyReLU) and module.negative_slope == 1:
        return None  # LeakyReLU(True), meant to be in place, is a straight line
    if kind in _BOUNDED or kind in _UNBOUNDED_TYPES:
        return _of_class(kind)
    if kind.__module__.startswith("torch.") or isinstance(module, torch.jit.ScriptModule):
        return None
    if module not in _measured:
        _measured[module] = _measure(module)
    return _measured[module]


def nonlinearity_named(name: str) -> Nonlinearity:
    """The function that torch has a class for, by the class's name in lower case, such as `gelu`;
    KeyError if there is none.
    """
    return _of_class(_BY_NAME[name])


def _of_class(kind: type[nn.Module]) -> Nonlinearity:
    bounds, odd = _BOUNDED.get(kind, (None, False))
    return Nonlinearity(kind.__name__.lower(), bounds, odd, kind in _SHUT_AT_ZERO)


def _measure(module: nn.Module) -> Nonlinearity | None:
    function = measured_function(module)
    if function is None:
        return None
    if function.name:
        return nonlinearity_named(function.name)
    name = type(module).__name__.lower()
    return Nonlinearity(name, function.bounds, function.odd, function.shut_at_zero)
