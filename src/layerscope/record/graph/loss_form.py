"""What the loss makes of a network's outputs, as autograd's graph between the two tells."""

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Any

from layerscope.measure.pending import Pending, at_hand
from layerscope.record.graph.capped_loss import clamped_of_mean_square, is_capped
from layerscope.record.graph.criterion_in_loss import added_mean_square, broadcasts, raised
from layerscope.record.graph.function_in_loss import AppliedFunction, applied_function
from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph.output_function import is_normalized
from layerscope.record.graph.policy_loss import chosen_in
from layerscope.record.graph.softmax_in_loss import (
    SCALES,
    TAKES_LOGITS,
    activation_before,
    axis_of,
    candidates_of,
    is_against_itself,
    is_mean_of_torch,
    takes_shares,
)
from layerscope.record.graph_nodes import (
    MOVES,
    NODES,
    PARTS,
    WHOLE,
    behind,
    inputs_of,
    kind_of,
    through,
)

_OF_DIFFERENCES = (*PARTS, *SCALES, "Neg", "Sub", "Rsub", "Add", "Mean", "Std", "Var")


@dataclass(frozen=True, slots=True)
class LossForm:
    """What is told of a loss. Fields that are figures are described in `STEP_FIGURES`.

    Attributes:
        over_samples: it takes the softmax of an output [samples, classes] along the samples only.
        through_advantage: it multiplies a log-probability of one output with the difference of
            another one from something, and both get a gradient.
        of_rewards: it multiplies the log-probabilities of what was chosen, one by one, with numbers
            that get no gradient: rewards, or advantages.
        broadcasts: it combines a number of each of n samples with numbers of all of them, and takes
            the mean, or the sum, of the n x n that this makes.
        of_cosines: it is the mean or the sum of the cosines of an output with something, or of
            products of a normalised one, with no minus before them.
        baseline: of one of rewards, ids of the parameters that no action's probability depends on.
        of_shares: see `takes_shares`.
        is_mean: see `is_mean_of_torch`.
        adds_number: see `LossSum`.
        of_scores: a mean or a sum of what a linear layer gives is a term of it, as of a critic's
            (Arjovsky et al. 2017): it has no least value, and 0 is one like any other.
        raised: see `raised`.
        mean_square: see `added_mean_square`.
        capped: see `is_capped`.
        clamped: see `clamped_of_mean_square`.
        applied: see `applied_function`.
        weights_free: of one whose terms have weights that are learned, and that nothing holds,
            whether these have moved the way that makes it small; None of any other.
    """

    over_samples: float = field(default=0.0, metadata={"figure": "softmax_over_samples"})
    against_itself: bool = field(default=False, metadata={"figure": "against_itself"})
    through_advantage: bool = field(default=False, metadata={"figure": "advantage_gradient"})
    of_rewards: bool = field(default=False, metadata={"figure": "of_rewards"})
    broadcasts: bool = field(default=False, metadata={"figure": "loss_broadcasts"})
    candidates: int = field(default=0, metadata={"figure": "candidates"})
    activated_twice: float = field(default=False, metadata={"figure": "activated_twice"})
    of_earlier: bool = field(default=False, metadata={"figure": "loss_of_earlier"})
    of_cosines: bool = False
    baseline: frozenset[int] = frozenset()
    of_shares: bool = False
    is_mean: bool = False
    adds_number: bool = field(default=False, metadata={"figure": "number_added"})
    of_alignment: bool = field(default=False, metadata={"figure": "of_alignment"})
    of_scores: bool = field(default=False, metadata={"figure": "loss_of_scores"})
    raised: float = field(default=0.0, metadata={"figure": "loss_raised"})
    mean_square: tuple[str, int] | None = None
    capped: bool = False
    clamped: tuple[float, float] | None = None
    applied: AppliedFunction | None = None
    weights_free: Pending[bool] | None = field(default=None, metadata={"figure": "weights_free"})

    def figures(self) -> dict[str, float]:
        """By the name of each figure: all that are so or not, and others where there are any."""
        figures = [each for each in fields(self) if each.metadata]
        told = {each.metadata["figure"]: getattr(self, each.name) for each in figures}
        return {name: at_hand(it) for name, it in told.items() if it or it is False}


def form_of(loss: Any, outputs: MarkedOutputs, earlier: Collection[object]) -> LossForm:
    """What a loss is, by its node.

    Args:
        loss: the node that made it.
        earlier: marks in the graphs of earlier steps.
    """
    nodes = behind(loss, outputs)
    of_rewards = bool(chosen_in(nodes))
    of_earlier = bool(earlier) and any(mark in node.metadata for node in nodes for mark in earlier)
    if of_earlier or len(nodes) >= NODES:  # an episode's, say, whose steps are all alike
        return LossForm(of_rewards=of_rewards, of_earlier=of_earlier)
    kinds = {node: kind_of(node) for node in nodes if node not in outputs}
    shapes = (outputs.shape_of(node) for node in nodes if node in outputs)
    samples = {shape[0] for shape in shapes if shape}
    softmaxes = [node for node, kind in kinds.items() if kind in ("LogSoftmax", "Softmax")]
    along = [axis_of(node, outputs) for node in softmaxes]
    logs = [node for node, kind in kinds.items() if kind == "LogSoftmax"]
    products = [node for node, kind in kinds.items() if kind == "Mul"]
    of_logits = (node for node, kind in kinds.items() if kind in TAKES_LOGITS)
    activated = [activation_before(node, outputs) for node in of_logits]
    return LossForm(
        over_samples=float("samples" in along and "classes" not in along),
        against_itself=any(map(is_against_itself, logs)),
        through_advantage=any(_has_advantage(node, outputs) for node in products),
        of_rewards=of_rewards,
        broadcasts=any(broadcasts(node, nodes, outputs, samples) for node in nodes),
        candidates=max(map(candidates_of, logs), default=0),
        activated_twice=max(activated, default=0) or False,
        of_cosines=_is_of_cosines(loss, outputs),
        of_alignment=any("CtcLoss" in kind for kind in kinds.values()),
        of_scores=_is_of_scores(loss),
        mean_square=added_mean_square(loss, nodes, outputs),
        of_shares=takes_shares(loss, outputs),
        is_mean=is_mean_of_torch(loss),
        raised=raised(loss),
        capped=is_capped(loss, outputs),
        clamped=clamped_of_mean_square(loss, outputs),
        applied=applied_function(loss, nodes, outputs),
    )


_ADDS = (*WHOLE, "Mean", "Sum", "Div")


def _is_of_cosines(loss: Any, outputs: MarkedOutputs) -> bool:
    """Whether nothing but sums and means lie between the loss and products of a normalised output:
    minus their mean has a node for the sign, and 1 - their mean for the difference.
    """
    product = through(loss, _ADDS, outputs)
    if product in outputs or kind_of(product) not in ("Mul", "Bmm"):
        return False
    return any(is_normalized(each, outputs) for each in inputs_of(product))


_LINEAR = ("Add", "Sub", "Neg", "Rsub", "Mean", "Sum", *SCALES, *WHOLE)


def _is_of_scores(loss: Any) -> bool:
    """Whether one of its terms is a linear layer's output, added up, with a factor at most."""
    waiting = [loss]
    for _ in range(NODES):
        if not waiting:
            break
        node = waiting.pop()
        before = inputs_of(node)
        if kind_of(node) in ("Addmm", "Linear", "Convolution", "MkldnnLinear"):
            return True
        if kind_of(node) in _LINEAR and (len(before) == 1 or kind_of(node) not in SCALES):
            waiting += before
    return False


def _has_advantage(product: Any, outputs: MarkedOutputs) -> bool:
    operands = inputs_of(product)
    if len(operands) != 2:
        return False
    for of_policy, of_value in (operands, reversed(operands)):
        nodes = behind(of_value, outputs)
        values = {node for node in nodes if node in outputs}
        between = [kind_of(node) for node in nodes if node not in outputs]
        allowed = all(kind in _OF_DIFFERENCES or kind in MOVES for kind in between)
        if not values or not allowed or not {"Sub", "Rsub"} & set(between):
            continue
        of_logs = behind(of_policy, outputs)
        is_log = any(kind_of(node) in ("LogSoftmax", "Logsumexp") for node in of_logs)
        if is_log and not values & set(of_logs):
            return True
    return False
