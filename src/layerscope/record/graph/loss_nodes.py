"""The graph of a loss, node by node: what lies behind one, and of what shape it is."""

from collections.abc import Container
from typing import Any

from layerscope.record.graph.output_function import MOVES, kind_of

PARTS = ("Select", "Slice", "AsStrided", "Gather", "Index", "Narrow", "Split", "Unbind")
"""Functions that give some of what they get."""

WHOLE = tuple(kind for kind in MOVES if kind not in PARTS)
"""Functions that give all of what they get, moved."""

NODES = 128
"""Between loss and outputs; losses take some ten."""


def behind(start: Any, ends: Container[Any], most: int = NODES) -> list[Any]:
    """The nodes from one on, breadth first, up to these and no further."""
    seen, waiting = {start: None}, [start]
    while waiting and len(seen) < most:
        here = waiting.pop(0)
        if here in ends:
            continue
        for before in inputs_of(here):
            if before not in seen:
                seen[before] = None
                waiting.append(before)
    return list(seen)


def inputs_of(node: Any) -> list[Any]:
    """The nodes that it gets its inputs from, as far as they have a gradient."""
    return [each for each, _ in node.next_functions if each is not None]


def through(node: Any, kinds: tuple[str, ...], ends: Container[Any] = ()) -> Any:
    """The first node on the way back that is none of these kinds, or has several inputs."""
    while node not in ends and kind_of(node) in kinds and len(inputs_of(node)) == 1:
        (node,) = inputs_of(node)
    return node


def shape_of(node: Any) -> tuple[int, ...]:
    """Of what it gives; () where that is not known: of another torch, say."""
    gradients = getattr(node, "_input_metadata", ())
    return tuple(gradients[0].shape) if gradients else ()
