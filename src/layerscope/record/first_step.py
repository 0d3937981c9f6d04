"""What is seen of a network's axes in the first step: in its modules' calls, and in its graph."""

from typing import Any

from torch import nn

from layerscope.record.mixed_views import MixedViews
from layerscope.record.order_read import OrderRead
from layerscope.record.places_axis import PlacesAxis


class FirstStep:
    """Hands on what happens to those that look at it.

    Attributes:
        views, order, places: these.
    """

    def __init__(self) -> None:
        self.views, self.order, self.places = MixedViews(), OrderRead(), PlacesAxis()

    def begin(self, inputs: object) -> None:
        """The network is called."""
        self.views.begin(inputs)

    def note(self, module: nn.Module, inputs: object, output: object) -> None:
        """A module of the network has given an output."""
        self.views.note(module, inputs, output)
        self.places.note(module, inputs, output)

    def see(self, node: Any) -> None:
        """A node of the graph of the network's output."""
        for each in (self.views, self.order, self.places):
            each.see(node)

    def end(self) -> None:
        """The step is over."""
        self.views.end()
