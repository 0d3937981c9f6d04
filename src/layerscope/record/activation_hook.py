"""What sits on an activation function that has no parameters, and may stand in several places."""

from collections.abc import Callable, Collection
from typing import Any

from layerscope.record.graph_nodes import backward_pass
from layerscope.record.hook_state import HookState
from layerscope.record.network.layers import Layer
from layerscope.record.output_hook import Meet, OutputHook

MeetPlace = Callable[[Layer, Layer, Collection[OutputHook]], OutputHook | None]


class ActivationHook(OutputHook):
    """A forward hook on one object that a forward may call after several layers, as `self.relu`.

    Of each layer that it follows, its outputs are a layer of their own: a layer that is dead would
    hide among the others, and their units have nothing to do with each other. The first place goes
    by the object's own name. A call right after another one of the same object is of the same
    place, and so is what a loop over time calls again. In compiled code all places are one layer.

    Args:
        meet_place: (the object's layer, the layer it follows, the hooks it has for other places)
            gives a hook for one more place; None where there are too many.
    """

    __slots__ = ("_meet_place", "_now", "_places")

    def __init__(self, layer: Layer, state: HookState, meet: Meet, meet_place: MeetPlace) -> None:
        super().__init__(layer, state, meet, per_call=False)
        self._meet_place = meet_place
        self._places: dict[str, OutputHook | None] = {}  # by the layer before; None: this one
        self._now: OutputHook | None = None

    def measure(self, inputs: Any, named: Any, output: Any, may_wait: bool = True) -> None:
        """Measure what the function has made of its arguments, in the place that it stands in."""
        state, place = self._state, self._now
        before = state.latest
        if state.is_compiled or before is None:  # graphs have one hook for all calls
            place = None
        elif before.module is not self.layer.module:
            try:
                place = self._places[before.name]
            except KeyError:
                place = self._new_place(before)
        self._now = place
        if place is None:
            super().measure(inputs, named, output, may_wait)
        else:
            place.measure(inputs, named, output, may_wait)

    def _new_place(self, before: Layer) -> OutputHook | None:
        """The function follows this layer for the first time."""
        if backward_pass() != -1:  # a checkpoint computes again, in another order
            return None
        others = [each for each in self._places.values() if each is not None]
        place = self._meet_place(self.layer, before, others) if self._places else None
        self._places[before.name] = place
        return place
