"""Follows losses from their outputs to what is told of them, step by step."""

import gc
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from layerscope.measure.pending import NO, Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.graph.loss_form import LossForm, form_of
from layerscope.record.graph.loss_sum import sum_of
from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph.own_backward import OwnBackward
from layerscope.record.graph.policy_loss import baseline_of, chosen_in
from layerscope.record.graph_nodes import behind

_FOLLOWED = 64
"""Leaves that are followed: a loss makes numbers anew at each step, say."""


class UntrainedLeaves:
    """Follows small leaves of a loss from look to look, such as the weights of its terms: a tensor
    beside the network, or a parameter of the loss's own module, is in no `model.parameters()`.
    """

    def __init__(self) -> None:
        # By `id`: the leaf, what it was when it was first seen, and whether it was seen again.
        self._seen: dict[int, tuple[weakref.ref[Tensor], Tensor, bool]] = {}

    def note(self, leaves: Iterable[Tensor]) -> None:
        """A loss that is looked at is made of these."""
        for leaf in leaves:
            known = self._seen.get(id(leaf))
            if known is not None and known[0]() is leaf:
                self._seen[id(leaf)] = (*known[:2], True)
            elif known is not None or len(self._seen) < _FOLLOWED:
                self._seen[id(leaf)] = weakref.ref(leaf), leaf.detach().clone(), False

    def count(self, owned: Callable[[], Collection[int]]) -> int:
        """How many are still what they were, of those that no optimizer has: waits for their
        device, where there are any.

        Args:
            owned: ids of the parameters that optimizers have; asked only where it matters.
        """
        self._seen = {key: known for key, known in self._seen.items() if known[0]() is not None}
        again = {key: known for key, known in self._seen.items() if known[2]}
        if not again:
            return 0
        left = again.keys() - set(owned())
        return sum(_is_as_it_was(*again[key][:2]) for key in left)


def _is_as_it_was(leaf: weakref.ref[Tensor], first: Tensor) -> bool:
    now = leaf()
    return now is not None and now.shape == first.shape and torch.equal(now.detach(), first)


class LearnedWeights:
    """Compares them with what they were at the first look."""

    def __init__(self) -> None:
        self._first: dict[int, Tensor] = {}

    def compare(self, free: Sequence[tuple[Tensor, bool]]) -> Pending[bool] | None:
        """Whether all elements of one have moved the way that makes the loss small since the first
        look; None without any.

        Args:
            free: small leaves, and whether each multiplies losses as it is: then that way is down,
                else it is against the gradient.
        """
        if not free:
            return None
        weights, plain = free[0]
        now = weights.detach().clone()
        first = self._first.setdefault(id(weights), now)
        slope = torch.ones_like(now) if plain else weights.grad
        if first is now or slope is None or first.shape != now.shape:
            return NO
        return on_host(((now - first) * slope < 0).all()).then(bool)


ENOUGH = 3
"""Earlier looks whose graphs are held: a loop's variables hold one, for as long as they do."""

_MOST = 8


class KeptGraphs:
    """Follows marks that lie in graphs: each lives as long as one of the graphs that bear it.

    What nobody holds may live on in a circle of references until Python looks for those. Once, when
    so many are alive, it is made to look: if that ends them, such circles are usual in this program
    and nothing is told of it any more.
    """

    def __init__(self) -> None:
        self._marks: deque[weakref.ref[object]] = deque(maxlen=_MOST)
        self._in_circles: bool | None = None

    def add(self, mark: object) -> None:
        """A look is over: this mark lies in its graphs."""
        self._marks.append(weakref.ref(mark))

    def held(self) -> list[object]:
        """The marks of earlier looks that are alive."""
        return [mark for each in self._marks if (mark := each()) is not None]

    def count(self) -> int:
        """How many of the last eight looks' graphs are held, but for the last one's; 0 for fewer
        than `ENOUGH`, which goes by when the loop's variables are given something new.
        """
        count = sum(each() is not None for each in list(self._marks)[:-1])
        if count >= ENOUGH and self._in_circles is None:
            gc.collect()
            count = sum(each() is not None for each in list(self._marks)[:-1])
            self._in_circles = count < ENOUGH
        return 0 if self._in_circles or count < ENOUGH else count


class LossGraph:
    """Looks at the graph of a loss in steps that are looked at; it keeps none of it."""

    def __init__(self, ask: Callable[[], bool]) -> None:
        self._ask = ask
        self.kept, self.backward = KeptGraphs(), OwnBackward()
        self.untrained = UntrainedLeaves()
        self._outputs = MarkedOutputs()
        self._form: LossForm | None = None
        self._baseline: frozenset[int] | None = None  # once known: a walk through all of the graph
        self._weights = LearnedWeights()

    def note_output(self, tensor: Tensor) -> None:
        """The network has given this, which has a gradient."""
        self._outputs.note(tensor)

    def see(self, loss: object) -> None:
        """The loss of the step that goes on, before or after its backward pass."""
        node = getattr(loss, "grad_fn", None) if self._outputs.are_any else None
        if node is not None and self._ask():
            form = form_of(node, self._outputs, self.kept.held())
            if form.of_rewards and self._baseline is None:
                self._baseline = baseline_of(node, chosen_in(behind(node, self._outputs)))
            terms = sum_of(node, self._outputs)
            self.untrained.note(terms.leaves)
            self.backward.look_at_loss(node, self._outputs)
            self._form = replace(
                form,
                baseline=self._baseline or form.baseline,
                adds_number=terms.adds_number,
                weights_free=self._weights.compare(terms.free),
            )
            self._turn()

    def take(self) -> LossForm | None:
        """What was seen since the last call; None if nothing was."""
        self._turn()
        form, self._form = self._form, None
        return form

    def _turn(self) -> None:
        """What comes now is of another loss."""
        if self._outputs.are_any:
            self.kept.add(self._outputs)
            self._outputs = MarkedOutputs()
