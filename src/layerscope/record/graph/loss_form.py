"""What the loss makes of a network's outputs, as autograd's graph between the two tells."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from layerscope.measure.pending import Pending
from layerscope.record.graph.added_error import added_mean_square
from layerscope.record.graph.broadcast_in_loss import broadcasts
from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph.output_function import is_normalized
from layerscope.record.graph.policy_loss import chosen_in
from layerscope.record.graph.raised_loss import raised
from layerscope.record.graph.shares_in_loss import is_mean_of_torch, takes_shares
from layerscope.record.graph_nodes import (
    MOVES,
    NODES,
    PARTS,
    WHOLE,
    behind,
    inputs_of,
    kind_of,
    shape_of,
    signed,
    through,
)

_SCALES = ("Mul", "Div")
_OF_DIFFERENCES = (*PARTS, *_SCALES, "Neg", "Sub", "Rsub", "Add", "Mean", "Std", "Var")


@dataclass(frozen=True, slots=True)
class LossForm:
    """What is told of a loss.

    Attributes:
        over_samples: it takes the softmax of an output [samples, classes] along the samples only.
        against_itself: it takes the softmax of the products of all samples with all, those of each
            with itself among them.
        through_advantage: it multiplies a log-probability of one output with the difference of
            another one from something, and both get a gradient.
        of_rewards: it multiplies the log-probabilities of what was chosen, one by one, with numbers
            that get no gradient: rewards, or advantages.
        broadcasts: it combines a number of each of n samples with numbers of all of them, and takes
            the mean, or the sum, of the n x n that this makes.
        candidates: among how many samples a contrastive loss finds each one's partner; 0 of another
            loss.
        activated_twice: it takes the sigmoid or softmax of an output that is one already.
        of_earlier: it is made of outputs of earlier steps as well.
        of_cosines: it is the mean or the sum of the cosines of an output with something, or of
            products of a normalised one, with no minus before them.
        baseline: of one of rewards, ids of the parameters that no action's probability depends on.
        of_shares: see `takes_shares`.
        is_mean: see `is_mean_of_torch`.
        adds_number: see `LossSum`.
        of_alignment: there is a CTC loss in it.
        of_scores: a mean or a sum of what a linear layer gives is a term of it, as of a critic's
            (Arjovsky et al. 2017): it has no least value, and 0 is one like any other.
        raised: see `raised`.
        mean_square: see `added_mean_square`.
        weights_free: of one whose terms have weights that are learned, and that nothing holds,
            whether these have moved the way that makes it small; None of any other.
    """

    over_samples: bool = False
    against_itself: bool = False
    through_advantage: bool = False
    of_rewards: bool = False
    broadcasts: bool = False
    candidates: int = 0
    activated_twice: bool = False
    of_earlier: bool = False
    of_cosines: bool = False
    baseline: frozenset[int] = frozenset()
    of_shares: bool = False
    is_mean: bool = False
    adds_number: bool = False
    of_alignment: bool = False
    of_scores: bool = False
    raised: float = 0.0
    mean_square: tuple[str, int] | None = None
    weights_free: Pending[bool] | None = None

    def figures(self) -> dict[str, float]:
        """By the name of each figure; of a softmax only that it runs along the samples."""
        figures = {
            "against_itself": float(self.against_itself),
            "advantage_gradient": float(self.through_advantage),
            "of_rewards": float(self.of_rewards),
            "loss_broadcasts": float(self.broadcasts),
            "activated_twice": float(self.activated_twice),
            "loss_of_earlier": float(self.of_earlier),
            "number_added": float(self.adds_number),
            "of_alignment": float(self.of_alignment),
            "loss_of_scores": float(self.of_scores),
        }
        if self.weights_free is not None:
            figures["weights_free"] = float(self.weights_free.get())
        if self.raised:
            figures["loss_raised"] = self.raised
        if self.candidates:
            figures["candidates"] = float(self.candidates)
        return figures | ({"softmax_over_samples": 1.0} if self.over_samples else {})


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
    along = [_axis_of(node, outputs) for node in softmaxes]
    logs = [node for node, kind in kinds.items() if kind == "LogSoftmax"]
    products = [node for node, kind in kinds.items() if kind == "Mul"]
    return LossForm(
        over_samples="samples" in along and "classes" not in along,
        against_itself=any(map(_is_against_itself, logs)),
        through_advantage=any(_has_advantage(node, outputs) for node in products),
        of_rewards=of_rewards,
        broadcasts=any(broadcasts(node, nodes, outputs, samples) for node in nodes),
        candidates=max(map(_candidates_of, logs), default=0),
        activated_twice=any(
            kind in _TAKES_LOGITS and _is_activated(node, outputs) for node, kind in kinds.items()
        ),
        of_cosines=_is_of_cosines(loss, outputs),
        of_alignment=any("CtcLoss" in kind for kind in kinds.values()),
        of_scores=_is_of_scores(loss),
        mean_square=added_mean_square(loss, nodes, outputs),
        of_shares=takes_shares(loss, outputs),
        is_mean=is_mean_of_torch(loss),
        raised=raised(loss),
    )


_IN_PLACE = tuple(kind for kind in WHOLE if kind not in ("Transpose", "T", "Permute"))


def _axis_of(softmax: Any, outputs: MarkedOutputs) -> str:
    """Along which axis of an output [samples, classes] a softmax runs; "" of anything else."""
    source = through(inputs_of(softmax)[0], (*_IN_PLACE, *_SCALES), outputs)
    shape = outputs.shape_of(source)
    if len(shape) != 2 or min(shape) < 2 or shape[0] == shape[1]:
        return ""
    return "samples" if signed(getattr(softmax, "_saved_dim", 1)) in (0, -2) else "classes"


_ADDS = (*WHOLE, "Mean", "Sum", "Div")


def _is_of_cosines(loss: Any, outputs: MarkedOutputs) -> bool:
    """Whether nothing but sums and means lie between the loss and products of a normalised output:
    minus their mean has a node for the sign, and 1 - their mean for the difference.
    """
    product = through(loss, _ADDS, outputs)
    if product in outputs or kind_of(product) not in ("Mul", "Bmm"):
        return False
    return any(is_normalized(each, outputs) for each in inputs_of(product))


_LINEAR = ("Add", "Sub", "Neg", "Rsub", "Mean", "Sum", *_SCALES, *WHOLE)


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
        if kind_of(node) in _LINEAR and (len(before) == 1 or kind_of(node) not in _SCALES):
            waiting += before
    return False


_TAKES_LOGITS = ("Sigmoid", "LogSigmoid", "Softmax", "LogSoftmax", "BinaryCrossEntropyWithLogits")


def _is_activated(node: Any, outputs: MarkedOutputs) -> bool:
    """Whether what a function of logits takes is an output that a sigmoid or softmax has made."""
    source = through(inputs_of(node)[0], WHOLE, outputs)
    return source in outputs and kind_of(through(source, WHOLE)) in ("Sigmoid", "Softmax")


def _is_against_itself(softmax: Any) -> bool:
    """Whether its rows are products of samples with all of the same samples, nothing masked."""
    product = through(inputs_of(softmax)[0], (*WHOLE, *_SCALES))
    operands = inputs_of(product)
    if kind_of(product) != "Mm" or len(operands) != 2:
        return False
    one, other = (through(each, WHOLE) for each in operands)
    return one is other


_BETWEEN = (*WHOLE, *_SCALES, "MaskedFill", "CopySlices", "Sub", "Add", "Where")


def _candidates_of(softmax: Any) -> int:
    """How many entries its rows have, if they are products of embeddings; 0 else."""
    source = through(inputs_of(softmax)[0], _BETWEEN)
    # Or a temperature that is learned times such products.
    factors = inputs_of(source) if kind_of(source) == "Mul" else [source]
    sources = [through(each, _BETWEEN) for each in factors]
    joined = next((each for each in sources if kind_of(each) == "Cat"), None)
    if joined is None:
        parts = [_summed(each) for each in sources]
        parts = [each for each in parts if kind_of(each) in _OF_TWO and len(inputs_of(each)) == 2]
    else:  # the partner's products, and those of all others, which may have no gradient: a queue
        parts = [_summed(each) for each in inputs_of(joined)]
    if not parts or not all(map(_is_of_embeddings, parts)):
        return 0
    shape = shape_of(softmax)
    return int(shape[-1]) if len(shape) == 2 else 0


_OF_TWO = ("Mm", "Bmm", "Mul")


def _summed(node: Any) -> Any:
    """The product of matrices behind it, or that which is summed up along an axis."""
    node = through(node, (*_BETWEEN, *PARTS))
    if kind_of(node) == "Sum":
        return through(inputs_of(node)[0], WHOLE)
    return None if kind_of(node) == "Mul" else node


def _is_of_embeddings(product: Any) -> bool:
    """Whether it is a product, and none of a layer's weight: a function of the loop's own is part
    of the network.
    """
    operands = [_undivided(each) for each in inputs_of(product)]
    is_one = kind_of(product) in _OF_TWO and bool(operands)
    return is_one and not any(kind_of(each) == "AccumulateGrad" for each in operands)


def _undivided(node: Any) -> Any:
    """What it is, moved, or what has been divided by its norm to make it."""
    node = through(node, WHOLE)
    return through(inputs_of(node)[0], WHOLE) if kind_of(node) == "Div" else node


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
