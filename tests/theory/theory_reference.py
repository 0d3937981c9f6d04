"""Expectations the slow, obvious way: adaptive quadrature, and random networks unit by unit."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.special import erf, erfinv

from layerscope.theory import Activation, activation_named

ERF = Activation(
    "erf", erf, lambda z: 2 / math.sqrt(math.pi) * np.exp(-(z**2)), lambda t: float(erfinv(t))
)
"""Not an activation of the lab: one whose every integral has a closed form (Williams 1997)."""


def expectation(f: Callable[[float], float], variance: float) -> float:
    """E[f(z)], z ~ N(0, variance), by QUADPACK between breakpoints at every power of 10.

    f has a scale of 1 and may have a kink at 0.
    """
    std = math.sqrt(variance)
    sizes = [std * size for size in (1, 3, 6, 9, 12)]
    sizes += [10.0**power for power in range(-2, 5) if 0.01 * std < 10.0**power < 12 * std]
    points = sorted({0.0, *sizes, *(-size for size in sizes)})

    def integrand(z: float) -> float:
        return f(z) * math.exp(-(z**2) / 2 / variance) / (std * math.sqrt(2 * math.pi))

    return sum(
        quad(integrand, low, high, epsabs=0, epsrel=1e-8, limit=200)[0]
        for low, high in pairwise(points)
    )


def random_networks(
    activation: str,
    sigma_w2: float,
    bias_variance: float,
    *,
    width: int,
    depth: int,
    networks: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation of outputs, and mean square gradient, of each layer: [networks, depth].

    Each network has Gaussian weights, sees one input of second moment 1, and gets a Gaussian
    gradient at its last outputs. No weight is ever drawn: the rows of W are independent, so given
    h, W h + b is N(0, q) for q = sigma_w^2 |h|^2 / n + sigma_b^2; and given h and z = W h + b, the
    part of W along h is known and the rest still Gaussian, so W^T d is
    (sigma_w^2 / n) h (z d) / q plus Gaussian noise, less of it along h. That is the law of the
    network at this width exactly, at a thousandth of the cost.
    """
    phi = activation_named(activation)
    q = np.full((networks, 1), sigma_w2 + bias_variance)
    stds = np.empty((networks, depth))
    squares = np.empty((networks, depth))
    outputs, inputs, variances = [], [], []
    for layer in range(depth):
        z = rng.standard_normal((networks, width)) * np.sqrt(q)
        h = phi.value(z)
        stds[:, layer] = h.std(axis=1)
        outputs.append(h)
        inputs.append(z)
        variances.append(q)
        q = sigma_w2 * np.mean(h**2, axis=1, keepdims=True) + bias_variance
    gradient = rng.standard_normal((networks, width))
    squares[:, -1] = np.mean(gradient**2, axis=1)
    for layer in range(depth - 1, 0, -1):
        h, z, q = outputs[layer - 1], inputs[layer], variances[layer]
        d = phi.slope(z) * gradient
        along = sigma_w2 / width / q
        length = np.sum(h**2, axis=1, keepdims=True)
        noise = rng.standard_normal((networks, width))
        known = 1 - np.sqrt(np.maximum(1 - along * length, 0))
        noise -= h * np.sum(h * noise, axis=1, keepdims=True) / length * known
        scale = np.sqrt(sigma_w2 / width * np.sum(d**2, axis=1, keepdims=True))
        gradient = along * h * np.sum(z * d, axis=1, keepdims=True) + scale * noise
        squares[:, layer - 1] = np.mean(gradient**2, axis=1)
    return stds, squares
