"""Weights that hand on signal and gradient alike, as theory solves for them."""

from math import sqrt

from layerscope.lab.arguments import finite_and_not_negative
from layerscope.lab.init.initializer import Initializer
from layerscope.lab.init.variance_scaling import variance_scaling
from layerscope.theory import critical


def critical_scaling(activation: str, bias_std: float) -> Initializer:
    """Return normal weights of variance sigma_w^2 / fan_in with chi = 1.

    chi is the factor by which a layer multiplies the gradient's mean square; see
    `layerscope.theory.critical`. Schoenholz et al. (2017), "Deep information propagation".

    Raises ValueError for an unknown activation, a bias_std that is negative or not finite, and if
    the activation has no critical weight variance at this bias_std.
    """
    return variance_scaling(critical_gain(activation, bias_std) ** 2, "fan_in", "normal")


def critical_gain(activation: str, bias_std: float) -> float:
    """Return sigma_w with chi = 1: what to multiply orthogonal weights by.

    At it, tanh layers keep not only the mean square of the gradient but all singular values of
    the end-to-end Jacobian near 1 (dynamical isometry): Pennington, Schoenholz and Ganguli (2017),
    "Resurrecting the sigmoid in deep learning through dynamical isometry".

    Raises ValueError as `critical_scaling` does.
    """
    finite_and_not_negative(bias_std=bias_std)
    return sqrt(critical(activation, bias_std**2).sigma_w2)
