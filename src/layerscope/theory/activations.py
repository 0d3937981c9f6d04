"""The nonlinearities as functions of a float: what the integrals of the theory are taken over.

Names and parameters are those of `layerscope.lab.mlp`, PyTorch's defaults. Each function
keeps its relative precision near zero and raises no warning at any finite argument.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import atanh, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from layerscope.theory.special import expit, ndtr

Array = NDArray[np.float64]

LEAKY_SLOPE = 0.01  # torch.nn.LeakyReLU's default


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function phi, elementwise.

    Attributes:
        name: as on the command line.
        value: phi(z).
        slope: phi'(z); at a kink, either side's.
        saturates_beyond: the |z| beyond which phi(z) has gone the share t, 0 to 1, of the way from
            the middle of its range to an end; None if it has not two ends. For tanh: atanh(t).
        zeros: the share of z, symmetric about 0, for which phi(z) is exactly 0.
        scale_free: phi(a z) = a phi(z) for a > 0, so that every integral is a power of the
            variance times its value at 1.
    """

    name: str
    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    saturates_beyond: Callable[[float], float] | None = None
    zeros: float = 0.0
    scale_free: bool = False


def activation_named(name: str) -> Activation:
    """Return the activation function of that name.

    Raises:
        ValueError: there is none; the sentence lists the names.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]


def _sech2(z: Array) -> Array:
    decay = np.exp(-2 * np.abs(z))  # of |z|: cosh would overflow
    return 4 * decay / (1 + decay) ** 2


def _normal_density(z: Array) -> Array:
    return np.exp(-(z**2) / 2) / sqrt(2 * pi)


def _elu(z: Array) -> Array:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


def _leaky_relu(z: Array) -> Array:
    return np.where(z > 0, z, LEAKY_SLOPE * z)


def _step(below: float) -> Callable[[Array], Array]:
    def slope(z: Array) -> Array:
        return np.where(z > 0, 1.0, below)

    return slope


def _silu_slope(z: Array) -> Array:
    share: Array = expit(z)
    rest: Array = expit(-z)
    return share * (1 + z * rest)


ACTIVATIONS: dict[str, Activation] = {
    activation.name: activation
    for activation in (
        Activation("tanh", np.tanh, _sech2, atanh),
        Activation("relu", lambda z: np.maximum(z, 0), _step(0.0), zeros=0.5, scale_free=True),
        Activation("leaky_relu", _leaky_relu, _step(LEAKY_SLOPE), scale_free=True),
        Activation("gelu", lambda z: z * ndtr(z), lambda z: ndtr(z) + z * _normal_density(z)),
        Activation("silu", lambda z: z * expit(z), _silu_slope),
        # sigmoid(z) = (1 + tanh(z / 2)) / 2
        Activation("sigmoid", expit, lambda z: expit(z) * expit(-z), lambda t: 2 * atanh(t)),
        Activation("elu", _elu, lambda z: np.exp(np.minimum(z, 0))),
        Activation("identity", lambda z: z, _step(1.0), scale_free=True),
    )
}
