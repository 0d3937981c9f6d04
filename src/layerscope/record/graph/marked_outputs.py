"""Which nodes of a graph made a network's outputs."""

from typing import Any

from torch import Tensor


class MarkedOutputs:
    """Nodes that made a network's outputs, each with a mark: who keeps a node keeps its graph."""

    def __init__(self) -> None:
        self.are_any = False

    def note(self, tensor: Tensor) -> None:
        """The network has given this."""
        node: Any = tensor.grad_fn
        if node is not None:
            node.metadata[self] = tuple(tensor.shape)
            self.are_any = True

    def __contains__(self, node: Any) -> bool:
        return self in node.metadata

    def shape_of(self, node: Any) -> tuple[int, ...]:
        """Of the output; () of a node that made none."""
        return node.metadata.get(self, ())
