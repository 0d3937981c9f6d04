"""One initialiser behind the random, kaiming, xavier, glorot, lecun, small and critical schemes."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from layerscope.arguments import finite_and_not_negative, one_of
from layerscope.lab.init.initializer import Initializer
from layerscope.theory import critical

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MODES = ("constant", "fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("normal", "uniform")


def variance_scaling(scale: float, mode: str, distribution: str) -> Initializer:
    """Return an initialiser of mean 0 and variance scale / n.

    n is 1 (constant), fan_in, fan_out, or their mean (fan_avg). `normal` is not truncated;
    `uniform` lies within sqrt(3) standard deviations. The name and the idea are those of
    `jax.nn.initializers.variance_scaling`.

    Raises:
        ValueError: an unknown mode or distribution, or a scale that is negative or not finite.
    """
    finite_and_not_negative(scale=scale)
    one_of(MODES, mode=mode)
    one_of(DISTRIBUTIONS, distribution=distribution)

    def variance(fan_in: int, fan_out: int) -> float:
        fan_avg = (fan_in + fan_out) / 2
        n = {"constant": 1, "fan_in": fan_in, "fan_out": fan_out, "fan_avg": fan_avg}[mode]
        return scale / n

    def draw(fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        import torch

        std = sqrt(variance(fan_in, fan_out))
        if distribution == "normal":
            return torch.randn(fan_in, fan_out, generator=generator) * std
        bound = sqrt(3) * std
        return torch.empty(fan_in, fan_out).uniform_(-bound, bound, generator=generator)

    return Initializer(draw, variance)


def critical_scaling(activation: str, bias_std: float) -> Initializer:
    """Return normal weights of variance sigma_w^2 / fan_in with chi = 1.

    chi is the factor by which a layer multiplies the gradient's mean square; see
    `layerscope.theory.critical`. Schoenholz et al. (2017), "Deep information propagation".

    Raises:
        ValueError: an unknown activation, a bias_std that is negative or not finite, or an
            activation that has no critical weight variance at this bias_std.
    """
    return variance_scaling(critical_gain(activation, bias_std) ** 2, "fan_in", "normal")


def critical_gain(activation: str, bias_std: float) -> float:
    """Return sigma_w with chi = 1: what to multiply orthogonal weights by.

    At it, tanh layers keep not only the mean square of the gradient but all singular values of
    the end-to-end Jacobian near 1 (dynamical isometry): Pennington, Schoenholz and Ganguli (2017),
    "Resurrecting the sigmoid in deep learning through dynamical isometry".

    Raises:
        ValueError: as `critical_scaling` does.
    """
    finite_and_not_negative(bias_std=bias_std)
    return sqrt(critical(activation, bias_std**2).sigma_w2)
