"""Orthogonal weights: a layer that turns its input and stretches no direction."""

import torch
from torch import Tensor


def orthogonal(fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
    """Draw float32 [fan_in, fan_out] whose columns (or rows, if fewer) are orthonormal.

    Saxe, McClelland and Ganguli (2014), "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks", section 3. Uniform over such matrices (Haar): the factor Q of a
    Gaussian matrix, with the signs of R's diagonal taken out (Mezzadri 2007, section 5).
    An entry has standard deviation sqrt(1 / max(fan_in, fan_out)).
    """
    tall = torch.randn(max(fan_in, fan_out), min(fan_in, fan_out), generator=generator)
    q, r = torch.linalg.qr(tall)
    q *= r.diagonal().sign()
    matrix: Tensor = q if fan_in >= fan_out else q.T
    return matrix
