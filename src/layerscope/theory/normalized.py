"""What a norm between a layer's weights and its activation function makes of theory's numbers."""

from collections.abc import Iterable
from dataclasses import replace

from layerscope.theory.activations import activation_named
from layerscope.theory.architecture import Layer
from layerscope.theory.moments import moments

EPSILON = 1e-5
"""What a norm adds to a mean square before it takes the root; torch's own for LayerNorm."""


def normalized(layers: Iterable[Layer], second_moment: float) -> tuple[Layer, ...]:
    """Return the layers that do without a norm what these do with a layer or RMS norm.

    The norm divides an example's pre-activations by their own root mean square. In a wide layer
    that is the root of q = sigma_w^2 E[h^2] + sigma_b^2, the same for every example, and their mean
    is 0, so that both norms divide weights and biases by it: q becomes 1 whatever the init. The
    gradient's way back through the norm differs from that by two directions of as many as there
    are units.
    """
    changed = []
    for layer in layers:
        q = layer.sigma_w2 * second_moment + layer.bias_variance + EPSILON
        changed.append(
            replace(
                layer,
                weight_variance=layer.weight_variance / q,
                bias_variance=layer.bias_variance / q,
            )
        )
        second_moment = float(moments(activation_named(layer.activation), 1 - EPSILON / q).second)
    return tuple(changed)
