"""How wide each hidden layer is: `depth` times `width`, or one by one."""

from collections.abc import Sequence

from layerscope.lab.arguments import at_least


def hidden_sizes(depth: int, width: int, widths: Sequence[int] | None) -> list[int]:
    """Return the units of each hidden layer, in order; `widths`, if given, takes precedence.

    Raises ValueError for a size below 1, and without layers.
    """
    if widths is None:
        at_least(1, depth=depth, width=width)
        return [width] * depth
    if not widths:
        raise ValueError("widths must name at least 1 hidden layer, got none.")
    at_least(1, **{f"widths[{position}]": size for position, size in enumerate(widths)})
    return list(widths)
