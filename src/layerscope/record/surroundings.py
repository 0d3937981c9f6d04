"""What is around a network in training: data, output and loss, optimizers, modes.

Looked at in some steps only, since little of it changes from one to the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import Optimizer

from layerscope.record.alike_rows import AlikeRows
from layerscope.record.attention import Attention
from layerscope.record.ends import Ends
from layerscope.record.gates import Gates
from layerscope.record.graph import Wiring
from layerscope.record.hook_state import HookState
from layerscope.record.layer_parameter import LayerParameter
from layerscope.record.layers import Layer
from layerscope.record.network_ends import NetworkEnds
from layerscope.record.ownership import Ownership, given_to, ownership
from layerscope.record.place import Place, Seen
from layerscope.record.routers import Routers
from layerscope.record.stream import Stream

_DROPOUTS = nn.modules.dropout._DropoutNd
_TWO_MODES = (_DROPOUTS, nn.modules.batchnorm._NormBase)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What was seen in one step.

    Attributes:
        ends: data, output, and the loss's gradient on it.
        ownership: what the optimizers have; None while none is known.
        gradients: the `id` of each parameter that got one.
        dropout: largest probability of a dropout that is on; 0 without any.
        row_spreads: by entry, how much the rows of its weight differ, where that is not settled.
        optimizers: how many have taken a step so far, those of other networks in the loop too.
        evaluation_share: of the modules that behave otherwise in training, those in evaluation
            mode; 0 without any. Those in frozen parts are left out: evaluation is their place.
        stepped: whether an optimizer took a step that has parameters of the network.
        unregistered: parameters that the output is made of, and neither the network nor an
            optimizer has.
        made_anew: such parameters that the forward pass makes anew in every step.
        inside: what was seen at places that are no layers, by kind, of those that are there, and
            by the place's name: "attention", heads; "stream", additions;
            "experts", what a router's experts get; "gates", how many are shut.
    """

    ends: Ends
    ownership: Ownership | None
    gradients: frozenset[int]
    row_spreads: Mapping[str, float]
    dropout: float
    optimizers: int
    evaluation_share: float
    stepped: bool
    unregistered: int
    made_anew: int
    inside: Mapping[str, Mapping[str, Seen]]


class Surroundings:
    """Looks at what a network trains in, when it is told to.

    Attributes:
        stream: looks at the residual stream.
        attention, routers: what measures them, for whoever sees functions.
    """

    def __init__(self, network: nn.Module, layers: Sequence[Layer], state: HookState) -> None:
        self.attention, self.routers = Attention(), Routers(network)
        self._network = network
        self.stream, self.gates = Stream(network, layers, state), Gates(network, layers, state)
        self._state = state
        self._looking = False
        self._ends = NetworkEnds(
            network, layers, state, lambda: self._looking and state.counts_here
        )
        self._two_modes = _in_trained_parts(network)
        self._optimizers: dict[Optimizer, None] = {}
        self._others: dict[int, frozenset[int]] = {}  # and what they have
        self._stepped = False
        self._stepped_by = -1
        self._first_owned: Sequence[LayerParameter] = ()
        self._gradients: set[int] = set()
        self._rows: AlikeRows | None = None
        self._alike: list[str] | None = None  # in the run that goes on

    def state(self) -> dict[str, Any]:
        """What the next look depends on, as plain types: for a checkpoint."""
        alike = self._alike if self._rows is None else self._rows.left
        return {"alike": alike, "keeps_first": self._ends.keeps_first}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._rows, self._alike = None, state["alike"]
        self._ends.keeps_first = state["keeps_first"]

    @property
    def wiring(self) -> dict[str, Wiring]:
        """How layers hang together, once a step has been seen."""
        return self._ends.wiring

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
        self._two_modes = _in_trained_parts(self._network)
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
        self.stream.begin(looking)
        self.gates.begin(looking and searching)

    def note_optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer takes a step."""
        self._optimizers[optimizer] = None
        self._stepped = True

    def note_other_optimizer(self, optimizer: Optimizer) -> None:
        """An optimizer takes a step that has none of this network's parameters."""
        if id(optimizer) not in self._others:
            self._others[id(optimizer)] = frozenset(given_to(optimizer))

    def note_gradients(self, parameters: Sequence[LayerParameter]) -> None:
        """An optimizer is about to get these parameters' gradients."""
        if self._looking:
            self._ends.kept_gradients.confirm()
            self._gradients.update(
                id(each.parameter) for each in parameters if each.parameter.grad is not None
            )

    def end_update(self, parameters: Sequence[LayerParameter]) -> None:
        """An optimizer has taken its step; some nanoseconds."""
        if self._stepped_by != len(self._optimizers):
            self._stepped_by = len(self._optimizers)
            owned = set().union(*map(given_to, self._optimizers))
            self._first_owned = [each for each in parameters if id(each.parameter) in owned][:1]
        self._ends.kept_gradients.remember(self._first_owned)

    def _owned(self) -> frozenset[int]:
        return frozenset().union(*map(given_to, self._optimizers), *self._others.values())

    def take(self, parameters: Sequence[LayerParameter]) -> Look | None:
        """What was seen in this step; None if it was not to be looked at."""
        if not self._looking:
            return None
        if self._rows is None:
            self._rows = AlikeRows(parameters, self._alike)
        known = ownership(self._network, self._optimizers) if self._optimizers else None
        ends = self._ends.take()
        unregistered, made_anew = self._ends.unregistered.count(self._owned)
        modes = self._two_modes
        drops = [m.p for m in modes if isinstance(m, _DROPOUTS) and m.training]
        look = Look(
            ends,
            known,
            frozenset(self._gradients),
            self._rows.look(),
            max(drops, default=0.0),
            len(self._optimizers) + len(self._others),
            sum(not m.training for m in modes) / max(len(modes), 1),
            self._stepped,
            unregistered,
            made_anew,
            {
                kind: seen
                for kind, seen in (
                    ("attention", self.attention.take()),
                    ("stream", self.stream.take()),
                    ("experts", self.routers.take()),
                    ("gates", self.gates.take()),
                )
                if seen
            },
        )
        self._gradients.clear()
        return look


def _in_trained_parts(network: nn.Module) -> list[nn.Module]:
    """Dropouts and batch normalisations, but for those whose nearest module with parameters, be it
    themselves, has none that is trained.
    """
    found = []

    def walk(module: nn.Module, is_trained: bool) -> None:
        trained = [parameter.requires_grad for parameter in module.parameters()]
        is_trained = any(trained) if trained else is_trained
        if isinstance(module, _TWO_MODES) and is_trained:
            found.append(module)
        for child in module.children():
            walk(child, is_trained)

    walk(network, True)
    return list(dict.fromkeys(found))
