"""Parameters that a network's output is made of and that the network does not have.

A module in a Python list or dict is no part of the module that holds the list: `parameters()` does
not give its weights, and an optimizer never gets them. Autograd's graph has them all the same.
"""

import weakref
from collections.abc import Callable, Collection, Iterable
from typing import Any

from torch import Tensor, nn

from layerscope.record.graph_nodes import inputs_of
from layerscope.record.outputs import tensors_in


class Unregistered:
    """Finds them once, in the graph of the first step; later it only counts."""

    def __init__(self) -> None:
        self._inputs: list[Any] = []  # kept, so that no later object gets the same id
        self._found: list[weakref.ref[Tensor]] = []
        self._is_new = True

    def note_inputs(self, inputs: object) -> None:
        """What the network is called with: what that is made of is somebody else's."""
        self._inputs += [
            tensor.grad_fn or tensor for _, tensor in tensors_in(inputs) if tensor.requires_grad
        ]

    def find(self, network: nn.Module, returned: Iterable[Any], see: Callable[[Any], None]) -> None:
        """Walk the graph from the outputs to the inputs; once, some microseconds a node.

        Args:
            network: whose parameters are known.
            returned: the nodes of its outputs.
            see: is called with each node.
        """
        stop = {id(each) for each in self._inputs}
        own = {id(parameter) for parameter in network.parameters()}
        seen, waiting, kept = set(), list(returned), []
        while waiting:
            node = waiting.pop()
            variable = getattr(node, "variable", None)  # of a leaf
            if id(node) in seen or id(node) in stop or id(variable) in stop:
                continue
            seen.add(id(node))
            kept.append(node)
            see(node)
            if isinstance(variable, nn.Parameter) and id(variable) not in own:
                self._found.append(weakref.ref(variable))
            waiting += inputs_of(node)
        self._inputs.clear()

    def count(self, owned: Callable[[], Collection[int]]) -> tuple[int, int]:
        """How many there are still that no optimizer has; and how many are gone, since each
        forward pass makes them anew. The first call gives zeros: the graph that keeps these alive
        is still there.

        Args:
            owned: ids of the parameters that optimizers have; asked only where it matters.
        """
        is_new, self._is_new = self._is_new, False
        if is_new or not self._found:
            return 0, 0
        there = [parameter() for parameter in self._found]
        known = owned()
        left = [each for each in there if each is not None and id(each) not in known]
        return len(left), sum(each is None for each in there)
