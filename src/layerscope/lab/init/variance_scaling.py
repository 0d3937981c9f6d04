"""One initialiser behind the random, kaiming, xavier, glorot, lecun, small and critical schemes."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from layerscope.lab.arguments import finite_and_not_negative, one_of
from layerscope.lab.init.initializer import Initializer

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

    Raises ValueError for an unknown mode or distribution and a scale that is negative or not
    finite.
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
