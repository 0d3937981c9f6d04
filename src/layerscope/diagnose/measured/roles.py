"""What part each layer plays, as arrays: formed once for a set of layers, not once a step."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.measured.layer_facts import LayerFacts

GATES = ("sigmoid", "hardsigmoid", "softmax")
"""Functions from 0 to 1, which learn to shut."""

_FEW = 2
"""Numbers of which a normalisation leaves at most which is the larger."""

LARGEST_GAIN = 3.0
"""Variance of usual weights times fan-in: Kaiming's 2, and what chance adds in a small layer."""


class Roles:
    """The layers of a network as the rules see them.

    Args:
        layers: in any order.
        classes: what a cross-entropy loss chooses from; None if the loss is another.

    Attributes:
        rank: int64 [layers], the place in forward order; layers that it does not reach follow the
            one before them.
        chain: indices of the layers that forward passes reach, in that order, but for the last:
            logits and other outputs may have any scale. A function of a parameter alone, a gate's
            or a constraint's, is in no path of the data and plays no part.
        trunk: those of the chain that every path of the gradient passes: what gets little there, no
            way gives more to. A branch beside a residual stream, an adapter, or one of several
            heads may get as little as it likes. A layer whose outputs a normalisation gets at once
            is left out too: that divides by their size, and its gradient with it.
        feeds_normalization: indices of the layers whose outputs a normalisation gets at once.
        normalized_first: whether a normalisation gets the first layer's outputs at once: any scale
            of the data is divided out there.
        embeddings: indices of the embeddings that are reached.
        batch_norms: indices of the batch normalisations that look at their own batch alone.
        norms_of_few: indices of normalisations that take one or two numbers of a sample together,
            and of layers that get what such a one has made.
        last: index of the last layer in forward order; -1 if none is reached.
        streams: of each residual stream the indices of its additions, in their order.
        fan_in: float64 [layers], of matrices and convolutions; NaN of all others.
    """

    def __init__(self, layers: Sequence[LayerFacts], classes: int | None = None) -> None:
        self.layers = tuple(layers)
        self.classes = classes
        self.fan_in = np.array([(each.width or (np.nan,))[0] for each in self.layers], np.float64)
        reached = [index for index, facts in enumerate(layers) if _is_reached(facts)]
        reached.sort(key=lambda index: layers[index].order)
        places, place = [], -1
        for index, facts in enumerate(layers):
            # A parameter with a name of its own, say 02_lstm.weight_hh_l0, follows its module.
            place = facts.order if facts.order >= 0 else place
            places.append((place, index))
        self.rank = np.empty(len(layers), np.int64)
        self.rank[[index for _, index in sorted(places)]] = np.arange(len(layers))
        self.chain = np.array([i for i in reached if not layers[i].last], np.int64)
        feeds = {
            before
            for before, after in pairwise(reached)
            if layers[after].normalizes and not layers[before].normalizes
        }
        self.feeds_normalization = frozenset(feeds)
        self.normalized_first = bool(reached) and reached[0] in feeds
        self.trunk = np.array(
            [i for i in self.chain if layers[i].on_trunk and i not in feeds], np.int64
        )
        self.embeddings = [i for i in reached if _is_embedding(layers[i])]
        self.batch_norms = [i for i in reached if layers[i].by_batch]
        self.norms_of_few = [
            i for i in reached if 0 < (layers[i].together or layers[i].gets_few) <= _FEW
        ]
        self.last = reached[-1] if reached else -1
        weighted = [layers[i].order for i in reached if layers[i].weights]
        # Behind all weights stands the loss: there are none whose learning it could spoil.
        self._behind = [i for i in reached if weighted and layers[i].order > max(weighted)]
        streams: dict[str, list[int]] = {}
        for index in sorted(range(len(layers)), key=lambda index: layers[index].stream_depth):
            if layers[index].stream_depth >= 0:
                streams.setdefault(layers[index].stream, []).append(index)
        self.streams = [np.array(of, np.intp) for of in streams.values()]
        self._masks: dict[str, npt.NDArray[np.float32]] = {}
        self._named: dict[tuple[str, ...], list[int]] = {}

    def only(self, role: str) -> npt.NDArray[np.float32]:
        """1 for layers of a role and NaN for others, float32 [layers], to multiply figures by.

        Args:
            role: "function", an activation function that no network ends with; "spreads", one of
                them whose outputs are not shares of a whole, and not behind all weights; "odd", one
                that is odd, and not there either; "can_die", one whose units can die, and that is
                neither a gate nor frozen; "can_shut", the same, and such an end too; "trained", a
                layer with weights that are trained, and that is no embedding; "varies", any layer
                that a forward pass reaches but an embedding.
        """
        if role not in self._masks:
            chosen = [_ROLES[role](facts) for facts in self.layers]
            mask = np.where(chosen, 1, np.nan).astype(np.float32)
            if role in ("spreads", "odd"):
                mask[self._behind] = np.nan
            self._masks[role] = mask
        return self._masks[role]

    def named(self, *nonlinearities: str) -> list[int]:
        """Indices of the layers whose activation function is one of these."""
        if nonlinearities not in self._named:
            self._named[nonlinearities] = [
                i for i, facts in enumerate(self.layers) if facts.nonlinearity in nonlinearities
            ]
        return self._named[nonlinearities]

    def normalized_later(self, index: int) -> bool:
        """Whether a normalisation further on restores any scale that this layer has."""
        order = self.layers[index].order
        return any(facts.normalizes and facts.order > order for facts in self.layers)


def _is_reached(facts: LayerFacts) -> bool:
    return facts.order >= 0 and not facts.of_parameter


def _is_function(facts: LayerFacts) -> bool:
    is_end = facts.last or facts.end
    return facts.nonlinearity is not None and not is_end and not facts.of_parameter


def _is_frozen(facts: LayerFacts) -> bool:
    """Its weights are as somebody else has trained them, dead units among them."""
    return bool(facts.weights) and not facts.trainable


def _is_embedding(facts: LayerFacts) -> bool:
    return facts.module.startswith("Embedding")


_ROLES: Mapping[str, Callable[[LayerFacts], bool]] = {
    "function": _is_function,
    "spreads": lambda facts: _is_function(facts) and "softm" not in (facts.nonlinearity or ""),
    "odd": lambda facts: _is_function(facts) and facts.odd,
    "can_die": lambda facts: (
        _is_function(facts)
        and facts.can_die
        and facts.nonlinearity not in GATES
        and not _is_frozen(facts)
    ),
    "can_shut": lambda facts: (
        facts.can_die
        and facts.nonlinearity not in GATES
        and not _is_frozen(facts)
        and not facts.of_parameter
    ),
    # Most rows of an embedding get no gradient in a step, so an RMS over all says nothing.
    "trained": lambda facts: facts.trainable and bool(facts.weights) and not _is_embedding(facts),
    "varies": lambda facts: _is_reached(facts) and not _is_embedding(facts),
}
