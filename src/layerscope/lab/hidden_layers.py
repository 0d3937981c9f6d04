"""The hidden layers of an MLP: how wide each is, and what theory knows of them.

Not in mlp.py, because `layerscope predict` needs them and does without PyTorch.
"""

from collections.abc import Sequence
from typing import Any

from layerscope.arguments import at_least, at_most, one_of
from layerscope.theory import Layer
from layerscope.theory.normalized import normalized

DEEPEST = 10_000
"""Hidden layers. Xiao et al. (2018), "Dynamical isometry and a mean field theory of CNNs", trained
as many."""
WIDEST = 1_000_000
"""Units. What two such layers have between them is far below 2^63, the most that torch counts."""


def hidden_sizes(depth: int, width: int, widths: Sequence[int] | None) -> list[int]:
    """Return the units of each hidden layer, in order; `widths`, if given, takes precedence.

    Raises:
        ValueError: a size is not from 1 to 1,000,000, or there are no layers or more than 10,000.
    """
    if widths is None:
        at_least(1, depth=depth, width=width)
        at_most(DEEPEST, depth=depth)
        at_most(WIDEST, width=width)
        return [width] * depth
    if not widths:
        raise ValueError("widths must name at least 1 hidden layer, got none")
    named = {f"widths[{position}]": size for position, size in enumerate(widths)}
    at_least(1, **named)
    at_most(WIDEST, **named)
    at_most(DEEPEST, **{"the length of widths": len(widths)})
    return list(widths)


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
