"""Follows losses from their outputs to what is told of them, step by step."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from layerscope.record.graph.kept_graphs import KeptGraphs
from layerscope.record.graph.learned_weights import LearnedWeights
from layerscope.record.graph.loss_form import LossForm, form_of
from layerscope.record.graph.loss_sum import sum_of
from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph.own_backward import OwnBackward
from layerscope.record.graph.policy_loss import baseline_of, chosen_in
from layerscope.record.graph.untrained_leaves import UntrainedLeaves
from layerscope.record.graph_nodes import behind


class LossGraph:
    """Looks at the graph of a loss in steps that are looked at; it keeps none of it.

    Args:
        ask: whether to look now.

    Attributes:
        kept: graphs of earlier looks.
        backward: looks at functions with a backward of their own.
        untrained: small leaves that losses are made of.
    """

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
