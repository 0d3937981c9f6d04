"""What a network trains in, looked at in some steps: data, output, loss, optimizers, modes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import proxy

from torch import Tensor, nn
from torch.optim import Optimizer

from layerscope.measure.pending import Pending
from layerscope.record.attention.attention import Attention
from layerscope.record.ends.network_ends import NetworkEnds
from layerscope.record.gates import Gates
from layerscope.record.graph.layer_graph import Wiring
from layerscope.record.hook_state import HookState
from layerscope.record.look import Look
from layerscope.record.network.layers import Layer
from layerscope.record.network.modes import Modes
from layerscope.record.network.repeated_modules import repeated_modules
from layerscope.record.parameters.alike_rows import RowSpreads
from layerscope.record.parameters.gradient_norm import NONE, gradient_norm
from layerscope.record.parameters.kept_gradients import LeftOverGradients
from layerscope.record.parameters.layer_parameter import LayerParameter
from layerscope.record.parameters.overwritten_weights import OverwrittenWeights
from layerscope.record.parameters.ownership import ownership
from layerscope.record.parameters.plateau_cuts import PlateauCuts
from layerscope.record.parameters.seen_optimizers import SeenOptimizers
from layerscope.record.parameters.uniform_steps import UniformSteps
from layerscope.record.place import Place
from layerscope.record.routers import Routers
from layerscope.record.search import Search
from layerscope.record.stream import Stream


class Surroundings:
    """Looks at what a network trains in, when it is told to.

    Attributes:
        attention, routers: what measures them, for whoever sees functions.
        modes: in which the network is.
        planned_steps: how many the training will have; infinity if unknown.
        weights: whether something else than an optimizer writes them.
    """

    def __init__(self, network: nn.Module, layers: Sequence[Layer], state: HookState) -> None:
        self.attention, self.routers = Attention(), Routers(network)
        self._network, self.planned_steps = network, math.inf
        self.stream, self.gates = Stream(network, layers, state), Gates(network, layers, state)
        self._state, self.weights = state, OverwrittenWeights()
        self.is_looking = self._stepped = False
        # A circle would keep the network until the garbage collector passes.
        me: Surroundings = proxy(self)
        self._ends = NetworkEnds(
            network, layers, state, lambda: me.is_looking and state.counts_here
        )
        self.loss_graph, self.modes = self._ends.output.loss_graph, Modes(network)
        self._repeated = repeated_modules(network)
        self._uniform = UniformSteps(network)
        self._optimizers, self._plateau = SeenOptimizers(), PlateauCuts()
        self._stepped_by, self._norm = -1, NONE
        self._first_owned: Sequence[LayerParameter] = ()
        self._gradients: set[int] = set()
        self._left_over = LeftOverGradients(network)
        self._is_first = True  # no step was seen yet, nor by the run that goes on
        self._rows = RowSpreads()

    def state(self) -> dict[str, Any]:
        """What the next look depends on, as plain types: for a checkpoint."""
        about = {"weights": self.weights.state(), "goes_on": self._optimizers.go_on}
        about["largest_rate"] = self._plateau.largest
        ends = self._ends
        of_ends = {"keeps_first": ends.output.keeps_first, "summed": ends.data.summed}
        return {"alike": self._rows.left} | of_ends | about

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._rows = RowSpreads(state["alike"])
        self._ends.output.keeps_first = state["keeps_first"]
        self._ends.data.summed = state["summed"]
        self.weights.load_state(state["weights"])
        self._plateau.largest = state["largest_rate"]
        self._optimizers.go_on, self._is_first = state["goes_on"], False

    @property
    def wiring(self) -> dict[str, Wiring]:
        """How layers hang together, once a step has been seen."""
        return self._ends.first.wiring

    @property
    def optimizers(self) -> list[Optimizer]:
        """Those of the network that have taken steps."""
        return list(self._optimizers.of_network)

    @property
    def places(self) -> list[Place]:
        """That are no layers, and were seen so far."""
        seen = (self.attention, self.stream, self.routers, self.gates)
        return [place for each in seen for place in each.places.values()]

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
        self.modes.follow()
        self._repeated = repeated_modules(self._network)
        self._stepped_by = -1
        self._rows.forget()
        self._uniform.forget()

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

    def begin(self, looking: bool, search: Search) -> None:
        """A step begins: `looking`, whether it is looked at, and at gates too if it is searched."""
        if looking or self.is_looking:
            self._ends.look(looking)
            self.stream.begin(looking, search)
            self.gates.begin(looking and bool(search))
        if looking:
            self.modes.begin()
            self._uniform.begin()
        self.is_looking, self._stepped = looking, False
        self._ends.output.kept_gradients.begin()
        if len(self._optimizers.of_network) > 1:
            self._ends.output.uncleared.begin(self._optimizers.of_network, looking)

    def arrive(self, optimizer: Optimizer) -> None:
        """An optimizer is about to take its step, before any closure is called; a microsecond."""
        if self._is_first:
            self._optimizers.arrive_first(optimizer)
        self.weights.arrive(optimizer)

    def note_optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer takes a step of this network's parameters."""
        if optimizer not in self._optimizers.of_network:
            self._optimizers.note(optimizer)
        if len(self._optimizers.of_network) > 1:
            self._ends.output.uncleared.note_optimizer(optimizer)
        if self.is_looking and hasattr(optimizer, "grad_scale"):
            self._ends.output.kept_gradients.note_division()
        self._stepped = True

    def note_other_optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer takes a step that has none of this network's parameters."""
        if self.is_looking:
            self._ends.output.kept_gradients.confirm()
        self._optimizers.note_other(optimizer, looking=self.is_looking)

    def note_losses(self, losses: Sequence[Tensor]) -> None:
        """The losses of a step's backward passes, if each has one, in their order."""
        if self.is_looking:
            self._ends.output.note_losses(losses)

    def note_gradients(self, parameters: Sequence[LayerParameter]) -> None:
        """An optimizer is about to get these parameters' gradients."""
        if self.is_looking:
            self._ends.output.kept_gradients.confirm()
            self.modes.note_update()
            self._norm = gradient_norm(self._network)
            self._uniform.note_gradients()
            if self._is_first:
                self._rows.begin(parameters)
            self._gradients.update(
                id(each.parameter) for each in parameters if self._left_over.is_new(each.parameter)
            )

    def end_update(self, parameters: Sequence[LayerParameter]) -> None:
        """The step that an optimizer has taken is over; some nanoseconds."""
        if self._stepped_by != len(self._optimizers.of_network):
            self._stepped_by = len(self._optimizers.of_network)
            self._first_owned = self._optimizers.first_owned(parameters)
        if not self._optimizers:
            self._ends.output.by_hand.remember(parameters)
        self._ends.output.kept_gradients.remember(self._first_owned)
        self.weights.choose(parameters)

    def note_step(self) -> None:
        """An optimizer has taken its step; a microsecond."""
        self._ends.output.kept_gradients.note_step()
        self.weights.leave()

    def take(self, parameters: Sequence[LayerParameter]) -> Look:
        """What was seen in a step that is looked at."""
        optimizers = self._optimizers.take()
        known = ownership(self._network, optimizers) if optimizers else None
        ends = self._ends.take()
        unregistered, made_anew = self._ends.first.unregistered.count(self._optimizers.owned)
        figures: dict[str, float | Pending[float]] = {
            **self.modes.take(),
            **self._repeated,
            **self._optimizers.figures(),
            "unregistered": float(unregistered),
            "untrained_in_loss": float(self.loss_graph.untrained.count(self._optimizers.owned)),
            "made_anew": float(made_anew),
            "weights_drawn": float(self.weights.drawn),
            "weights_returned": float(self.weights.returned),
            "updates_alike": float(self._uniform.take()),
            "weights_undone": float(self.weights.undone),
            **self._plateau.see(optimizers),
            "gradient_norm": self._norm,
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
            frozenset(self._state.cut_off),
            frozenset(id(each.parameter) for each in parameters if each.parameter.requires_grad),
            self._rows.look(parameters),
            self._stepped,
            figures,
            {kind: seen for kind, seen in inside if seen},
        )
        self._gradients, self._norm, self._is_first = set(), NONE, False
        return look
