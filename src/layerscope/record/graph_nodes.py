"""Autograd's graph, node by node: what one does, the shape that it gives, what lies behind it."""

from collections.abc import Callable, Container
from typing import Any

import torch

VIEWS = ("View", "UnsafeView", "ReshapeAlias")
"""Functions that cut the same memory into other axes."""

MOVES = (
    *(*VIEWS, "Squeeze", "Unsqueeze", "Transpose", "Permute", "T"),
    *("Select", "Slice", "Expand", "Clone", "Alias", "AsStrided", "ToCopy"),
)
"""Functions that leave the elements as they are."""

PARTS = ("Select", "Slice", "AsStrided", "Gather", "Index", "Narrow", "Split", "Unbind")
"""Functions that give some of what they get."""

WHOLE = tuple(kind for kind in MOVES if kind not in PARTS)
"""Functions that give all of what they get, moved."""

PRODUCTS = ("Addmm", "Mm", "Bmm", "Linear", "MkldnnLinear")
"""Products of matrices."""

NODES = 128
"""Between loss and outputs; losses take some ten."""

backward_pass: Callable[[], int] = torch._C._current_graph_task_id
"""The number of the backward pass that is running; -1 outside. Modules are called inside one when
activation checkpointing computes again what it has not kept. torch's own FSDP asks the same."""


def kind_of(node: Any) -> str:
    """A node's operation, as in `Addmm` of AddmmBackward0."""
    return type(node).__name__.rstrip("0123456789").removesuffix("Backward")


def inputs_of(node: Any) -> list[Any]:
    """The nodes that it gets its inputs from, as far as they have a gradient."""
    return [each for each, _ in node.next_functions if each is not None]


def shape_of(node: Any) -> tuple[int, ...]:
    """Of what it gives; () where that is not known: of another torch, say."""
    gradients = getattr(node, "_input_metadata", ())
    return tuple(gradients[0].shape) if gradients else ()


def signed(axis: int) -> int:
    """An axis as a node keeps it: -1 as 2**64 - 1."""
    return axis - 2**64 if axis >= 2**63 else axis


def through(node: Any, kinds: tuple[str, ...], ends: Container[Any] = ()) -> Any:
    """The first node on the way back that is none of these kinds, or has several inputs."""
    while node not in ends and kind_of(node) in kinds and len(inputs_of(node)) == 1:
        (node,) = inputs_of(node)
    return node


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
