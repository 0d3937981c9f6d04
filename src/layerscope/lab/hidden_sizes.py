"""How wide each hidden layer is: `depth` times `width`, or one by one.

Not in mlp.py, because `layerscope predict` needs the sizes and does without PyTorch.
"""

from collections.abc import Sequence

from layerscope.arguments import at_least, at_most

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
