"""The layers of an MLP as theory knows them, its norm and residuals included.

Not in mlp.py, because `layerscope predict` needs them and does without PyTorch.
"""

from collections.abc import Sequence
from typing import Any

from layerscope.arguments import one_of
from layerscope.theory import Layer
from layerscope.theory.normalized import normalized

NORM_NAMES = ("batch", "layer", "rms")
"""What `MLP` takes as its norm, beside None."""


def layers_for_theory(
    scheme: Any,
    sizes: Sequence[int],
    activation: str,
    second_moment: float,
    norm: str | None,
    residual: bool,
) -> tuple[Layer, ...]:
    """Return what theory is to predict.

    Args:
        scheme: tells the variances that it draws with, by its `layers`.
        sizes: of the input and of each hidden layer, in order.
        activation: after each hidden layer.

    Raises:
        ValueError: an unknown norm, or theory cannot follow such a network; the sentence says why.
    """
    if norm is not None:
        one_of(NORM_NAMES, norm=norm)
    if residual:
        raise ValueError(
            "theory follows a chain of layers, and model.residual=true adds each to the one before"
        )
    if norm == "batch":
        raise ValueError(
            "theory follows one example or two, and model.norm=batch makes each depend on its batch"
        )
    layers: tuple[Layer, ...] = scheme.layers(sizes, activation, second_moment)
    return layers if norm is None else normalized(layers, second_moment)
