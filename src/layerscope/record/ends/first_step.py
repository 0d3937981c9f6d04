"""What is seen of a network in the first step: in its modules' calls, and in its graph."""

from typing import Any

from torch import nn

from layerscope.record.graph.mixed_views import MixedViews
from layerscope.record.graph.order_read import OrderRead
from layerscope.record.graph.places_axis import PlacesAxis
from layerscope.record.graph.softmax_within import SoftmaxWithin
from layerscope.record.outputs import tensors_in


class FirstStep:
    """Hands on what happens to those that look at it.

    Attributes:
        views, order, places, softmax: these, which look at its axes.
        returned: nodes of the graph that calls from outside have returned the tensors of.
    """

    def __init__(self) -> None:
        self.views, self.order, self.places = MixedViews(), OrderRead(), PlacesAxis()
        self.softmax = SoftmaxWithin()
        self.returned: list[Any] = []

    def begin(self, inputs: object) -> None:
        """The network is called."""
        self.views.begin(inputs)
        self.softmax.begin(inputs)

    def note(self, module: nn.Module, inputs: object, output: object) -> None:
        """A module of the network has given an output."""
        self.views.note(module, inputs, output)
        self.places.note(module, inputs, output)

    def note_returned(self, output: object) -> None:
        """A call from outside has returned this."""
        self.softmax.note_returned(output)
        nodes = (tensor.grad_fn for _, tensor in tensors_in(output))
        self.returned += [node for node in nodes if node is not None]

    def see(self, node: Any) -> None:
        """A node of the graph of the network's output."""
        for each in (self.views, self.order, self.places, self.softmax):
            each.see(node)

    def end(self) -> None:
        """The step is over."""
        self.views.end()
        self.returned.clear()  # and with it the graph
