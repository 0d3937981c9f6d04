"""Orthogonal weights: a layer that turns its input and stretches no direction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerscope.lab.init.initializer import Initializer

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def orthogonal() -> Initializer:
    """Return an initialiser whose columns (or rows, if fewer) are orthonormal.

    Saxe, McClelland and Ganguli (2014), "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks", section 3. Uniform over such matrices (Haar): the factor Q of a
    Gaussian matrix, with the signs of R's diagonal taken out (Mezzadri 2007, section 5).
    An entry has the variance 1 / max(fan_in, fan_out).
    """

    def draw(fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        import torch

        tall = torch.randn(max(fan_in, fan_out), min(fan_in, fan_out), generator=generator)
        q, r = torch.linalg.qr(tall)
        q *= r.diagonal().sign()
        matrix: Tensor = q if fan_in >= fan_out else q.T
        return matrix

    def variance(fan_in: int, fan_out: int) -> float:
        return 1 / max(fan_in, fan_out)

    return Initializer(draw, variance, orthonormal=True)
