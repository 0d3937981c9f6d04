"""What is around a network in training: data, output and loss, optimizers, modes.

Looked at in some steps only.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakSet

from torch import nn
from torch.optim import Optimizer

from layerscope.record.attention.attention import Attention
from layerscope.record.ends.network_ends import NetworkEnds
from layerscope.record.gates import Gates
from layerscope.record.graph.layer_graph import Wiring
from layerscope.record.hook_state import HookState
from layerscope.record.look import Look
from layerscope.record.network.dropout_calls import DropoutCalls
from layerscope.record.network.frozen_in_name import frozen_in_name
from layerscope.record.network.layers import Layer
from layerscope.record.network.repeated_modules import repeated_modules
from layerscope.record.network.two_modes import TwoModes, path_and_class
from layerscope.record.parameters.alike_rows import AlikeRows
from layerscope.record.parameters.gradient_norm import NONE, gradient_norm
from layerscope.record.parameters.layer_parameter import LayerParameter
from layerscope.record.parameters.overwritten_weights import OverwrittenWeights
from layerscope.record.parameters.ownership import given_to, ownership
from layerscope.record.place import Place
from layerscope.record.routers import Routers
from layerscope.record.stream import Stream


class Surroundings:
    """Looks at what a network trains in, when it is told to.

    Attributes:
        stream: looks at the residual stream.
        attention, routers, dropouts: what measures them, for whoever sees functions.
        loss_graph: looks at the loss, where it is told with its graph.
        planned_steps: how many the training will have; infinity if unknown.
        weights: whether something else than an optimizer writes them.
        goes_on: whether an optimizer had taken steps before it came here, so that the network is
            one that was trained.
    """

    def __init__(self, network: nn.Module, layers: Sequence[Layer], state: HookState) -> None:
        self.attention, self.routers, self.dropouts = Attention(), Routers(network), DropoutCalls()
        self._network, self.planned_steps, self.goes_on = network, math.inf, False
        self.stream, self.gates = Stream(network, layers, state), Gates(network, layers, state)
        self._state, self.weights = state, OverwrittenWeights()
        self._looking = self._stepped = False
        self._ends = NetworkEnds(
            network, layers, state, lambda: self._looking and state.counts_here
        )
        self.loss_graph, self._two_modes = self._ends.output.loss_graph, TwoModes(network)
        self._repeated = repeated_modules(network)
        self._optimizers: dict[Optimizer, frozenset[int]] = {}  # and what they have
        self._others: dict[int, frozenset[int]] = {}  # likewise, of other networks
        self._known: WeakSet[Optimizer] = WeakSet()
        self._replaced = 0
        self._in_vain: list[Optimizer] = []  # in this step
        self._stepped_by, self._norm = -1, NONE
        self._first_owned: Sequence[LayerParameter] = ()
        self._gradients: set[int] = set()
        self._is_first = True  # no step was seen yet, nor by the run that goes on
        self._modes: dict[str, float] | None = None  # of this step's update
        self._rows: AlikeRows | None = None
        self._alike: list[str] | None = None  # in the run that goes on

    def state(self) -> dict[str, Any]:
        """What the next look depends on, as plain types: for a checkpoint."""
        alike = self._alike if self._rows is None else self._rows.left
        about = {"weights": self.weights.state(), "goes_on": self.goes_on}
        return {"alike": alike, "keeps_first": self._ends.output.keeps_first} | about

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._rows, self._alike = None, state["alike"]
        self._ends.output.keeps_first = state["keeps_first"]
        self.weights.load_state(state["weights"])
        self.goes_on, self._is_first = state["goes_on"], False

    @property
    def wiring(self) -> dict[str, Wiring]:
        """How layers hang together, once a step has been seen."""
        return self._ends.first.wiring

    @property
    def places(self) -> list[Place]:
        """That are no layers, and were seen so far."""
        seen = (self.attention, self.stream, self.routers, self.gates)
        return [place for each in seen for place in each.places.values()]

    @property
    def dropout_at(self) -> str:
        """Which module's dropout, its own or one that its code calls, drops most."""
        if self.dropouts.largest > self._two_modes.dropout:
            return path_and_class(self.dropouts.caller, self._network)
        return self._two_modes.dropout_at

    @property
    def frozen_in_name(self) -> dict[int, str]:
        """By the `id` of each parameter, the module that was frozen by an attribute alone."""
        return frozen_in_name(self._network)

    @property
    def number_of_places(self) -> int:
        """How many there are: it is asked for at every step."""
        seen = len(self.attention.places) + len(self.stream.places)
        return seen + len(self.routers.places) + len(self.gates.places)

    @property
    def configured(self) -> bool:
        """Whether conf/ builds the network: remedies then name its keys."""
        return type(self._network).__module__ == "layerscope.lab.language_model"

    def replace(self, layers: Sequence[Layer]) -> None:
        """The network has changed: these stand in the places of the layers before."""
        self._ends.replace(layers)
        self.stream.follow()
        self.gates.follow(layers)
        self._two_modes = TwoModes(self._network)
        self._repeated = repeated_modules(self._network)
        self._stepped_by = -1
        self._rows = None

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        self._ends.attach()

    def detach(self) -> None:
        """Take the hooks off."""
        self._ends.detach()
        self.stream.end()
        self.gates.end()

    def reach(self, layer: Layer, output: Any) -> None:
        """A layer that is no module has given an output: for the wiring, in the first step."""
        self._ends.reach(layer, output)

    def begin(self, looking: bool, searching: bool) -> None:
        """A step begins: `looking`, whether it is looked at, and `searching`, at gates too."""
        self._looking = looking
        self._stepped = False
        self._ends.output.kept_gradients.begin()
        if len(self._optimizers) > 1:
            self._ends.output.uncleared.begin(self._optimizers, looking)
        self.stream.begin(looking, searching)
        self.gates.begin(looking and searching)

    def note_optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer takes a step. One that is made anew in each, of the same parameters, takes
        the place of the one before: nobody else may keep that.
        """
        if optimizer not in self._optimizers:
            has = frozenset(given_to(optimizer))
            for other in [each for each, had in self._optimizers.items() if had == has]:
                del self._optimizers[other]
                self._replaced += optimizer not in self._known
            self._known.add(optimizer)
            self._optimizers[optimizer] = has
            if self._is_first and any(map(_has_stepped, optimizer.state.values())):
                self.goes_on = True
        if len(self._optimizers) > 1:
            self._ends.output.uncleared.note_optimizer(optimizer)
        if self._looking and hasattr(optimizer, "grad_scale"):
            self._ends.output.kept_gradients.note_division()
        self._stepped = True

    def note_other_optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer takes a step that has none of this network's parameters."""
        if self._looking:
            self._ends.output.kept_gradients.confirm()
        if id(optimizer) not in self._others:
            self._others[id(optimizer)] = frozenset(given_to(optimizer))
        if self._looking and all(each.grad is None for each in given_to(optimizer).values()):
            self._in_vain.append(optimizer)

    def note_gradients(self, parameters: Sequence[LayerParameter]) -> None:
        """An optimizer is about to get these parameters' gradients."""
        if self._looking:
            self._ends.output.kept_gradients.confirm()
            self._modes = self._two_modes.seen  # before a validation
            self._norm = gradient_norm(self._network)
            self._gradients.update(
                id(each.parameter) for each in parameters if each.parameter.grad is not None
            )

    def end_update(self, parameters: Sequence[LayerParameter]) -> None:
        """The step that an optimizer has taken is over; some nanoseconds."""
        if self._stepped_by != len(self._optimizers):
            self._stepped_by = len(self._optimizers)
            owned = set().union(*map(given_to, self._optimizers))
            self._first_owned = [each for each in parameters if id(each.parameter) in owned][:1]
        if not (self._optimizers or self._others):
            self._ends.output.by_hand.remember(parameters)
        self._ends.output.kept_gradients.remember(self._first_owned)
        self.weights.choose(parameters)

    def note_step(self) -> None:
        """An optimizer has taken its step; a microsecond."""
        self._ends.output.kept_gradients.note_step()
        self.weights.leave()

    def _owned(self) -> frozenset[int]:
        return frozenset().union(*map(given_to, self._optimizers), *self._others.values())

    def take(self, parameters: Sequence[LayerParameter]) -> Look | None:
        """What was seen in this step; None if it was not to be looked at."""
        if not self._looking:
            return None
        self._rows = self._rows or AlikeRows(parameters, self._alike)
        # One of no use, which steps without any gradient, was meant to have this network's.
        optimizers, self._in_vain = self._optimizers or self._in_vain, []
        known = ownership(self._network, optimizers) if optimizers else None
        ends = self._ends.take()
        modes, self._modes = self._modes or self._two_modes.seen, None
        unregistered, made_anew = self._ends.first.unregistered.count(self._owned)
        figures = {
            **modes,
            **self._repeated,
            "dropout": max(modes["dropout"], self.dropouts.largest),
            "optimizers": float(len(self._optimizers) + len(self._others)),
            "optimizers_replaced": float(self._replaced),
            "unregistered": float(unregistered),
            "made_anew": float(made_anew),
            "goes_on": float(self.goes_on),
            "weights_drawn": float(self.weights.drawn),
            "weights_returned": float(self.weights.returned),
        }
        if self.planned_steps < math.inf:
            figures["planned_steps"] = float(self.planned_steps)
        inside = (
            ("attention", self.attention.take()),
            ("stream", self.stream.take()),
            ("experts", self.routers.take()),
            ("gates", self.gates.take()),
        )
        look = Look(
            ends,
            known,
            frozenset(self._gradients),
            frozenset(id(each.parameter) for each in parameters if each.parameter.requires_grad),
            self._norm,
            self._rows.look(),
            self._stepped,
            figures,
            {kind: seen for kind, seen in inside if seen},
        )
        self._gradients, self._norm, self._is_first = set(), NONE, False
        return look


def _has_stepped(state: Any) -> bool:
    """Whether an optimizer's state of a parameter is that of one that has taken steps before."""
    if not isinstance(state, Mapping):
        return False
    steps = state.get("step", 0)
    return (steps is not None and float(steps) > 0) or state.get("momentum_buffer") is not None
