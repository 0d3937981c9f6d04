"""What the loss is made of: an activation that it applies itself, broadcast targets."""

import numpy as np

from layerscope.diagnose import Advice, Case, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.measured.figures import Flags, Values
from layerscope.diagnose.measured.last_function import LastFunction
from layerscope.diagnose.questions.in_each_look import LOOKS

_ENOUGH = 64

_ALIKE = 1e-4
"""Of the spread: rounding."""

_ABOVE_GUESSING = 1.0
"""Nats: more than two classes of any frequencies cost, and less than one wrong sample in ten does
whose probability is cut off at 1e-7."""

# Functions that autograd has no name for; of others it knows whether the output comes from them.
_SQUASHING = ("hardsigmoid",)
_BOUNDED_BELOW = ("relu6",)
_BOUNDED = ("hardtanh", "softsign")

_KEPT_BETWEEN = (
    "the loss takes logits and applies a sigmoid or softmax itself, but the output has been "
    "through a function that keeps it between 0 and 1",
    "take the last activation function off the network's end",
)
_AS_IT_IS = (
    "give the loss the network's output as it is; where probabilities are wanted, apply the "
    "function beside it"
)
_ENDS = {
    LastFunction.TANH: "a tanh",
    LastFunction.RELU: "a ReLU",
    LastFunction.SOFTPLUS: "a softplus",
    LastFunction.ELU: "an ELU",
    LastFunction.LINEAR: "a linear layer and no function",
}


def _cut_off(so: Flags, functions: Values) -> Case:
    """No output is between 0 and 1.

    Args:
        functions: a `LastFunction` that the network ends with, [steps].
    """
    function = int(functions[so][-1]) if so.any() else LastFunction.NONE
    name = _ENDS.get(LastFunction(function), "another function, or none")
    return Case(
        so,
        "the loss is flat: all outputs are 0 or less, or 1 or more, and are cut off, as by a loss "
        f"that takes them for probabilities; the network ends with {name}, not with a sigmoid",
        "nn.Sigmoid() as the last function; or a linear layer at the end, no function after it, "
        "and binary_cross_entropy_with_logits",
    )


@rule_of_run("loss_after_activation", looks_at="loss_kind")
def loss_after_activation(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """1 for a loss that takes logits, on outputs that are none; or one that takes probabilities, on
    outputs that no softmax or sigmoid has made such.
    """
    kind, low, high = figures["loss_kind"], figures["output_min"], figures["output_max"]
    takes_logits = (kind == Loss.CROSS_ENTROPY) | (kind == Loss.BINARY_LOGITS)
    values = np.where(np.isnan(kind), np.nan, 1.0)
    of_shares = kind == Loss.LOG_OF_SHARE
    along = (figures["output_columns_one"] == 1) | (figures["softmax_beside_classes"] == 1)
    unmade = (figures["outputs"] > 1) & (figures["output_rows_one"] == 0) & ~along
    unmade &= of_shares | (kind == Loss.LOG_OF_OUTPUT)
    # What the loss has cut off has no gradient, and tells nothing any more.
    seen = np.where(kind > Loss.UNKNOWN, np.where(of_shares, 2.0, 1.0) * unmade, np.nan)
    seen = memory.known("unmade", seen) * ~np.isnan(kind)
    clipped = (kind == Loss.BINARY) & ((low < 0) | (high > 1))
    of_scores = np.isin(kind, (Loss.OVERLAP_OF_SCORES, Loss.ALIGNMENT_OF_SCORES))
    of_loop = figures["activated_twice"]
    twice = (of_loop == 1) & ~takes_logits
    cut_off = _are_cut_off(figures, memory)
    if not (takes_logits | cut_off | (of_loop > 0) | of_scores | clipped | (seen > 0)).any():
        return Symptoms.of_run("output", values)
    enough = figures["outputs"] * figures["samples"] >= _ENOUGH
    written = figures["output_function"]
    # A network that gives the same for all may lie there by chance; from end to end it may not,
    # unless it is seen to have no function at its end, or to have given others before.
    unbounded = written == LastFunction.LINEAR
    beyond = memory.ever("beyond", (low < 0) | (high > 1))
    between = (low > 0) & (high < 1) & (low < 0.1) & (high > 0.9) & enough & ~unbounded & ~beyond
    last = memory.roles.layers[memory.roles.last] if memory.roles.last >= 0 else None
    function = None if last is None else last.nonlinearity
    squashing = np.isin(written, (LastFunction.SIGMOID, LastFunction.SOFTMAX))
    squashed = (low >= 0) & (high <= 1) & (squashing | (function in _SQUASHING))
    from_zero = np.isin(written, (LastFunction.RELU, LastFunction.SOFTPLUS))
    cut = (low >= 0) & (from_zero | (function in _BOUNDED_BELOW))
    cut |= (low == 0) & (high > 0) & ~unbounded
    bounded = (written == LastFunction.TANH) | (function in _BOUNDED)
    bounded &= (low >= -1) & (high <= 1)
    return Symptoms.of_cases(
        "output",
        values,
        _cut_off(cut_off, written),
        Case(twice, *_KEPT_BETWEEN, value=1.0),
        Case(
            of_loop == 2,
            "the loss takes logits, but the training loop puts the output through a ReLU first: no "
            "class can be made unlikely, and what is below 0 gets no gradient",
            _AS_IT_IS,
            value=1.0,
        ),
        Case(
            of_loop == 3,
            "the loss takes logits, but the training loop puts the output through a tanh first: no "
            "class can be made sure",
            _AS_IT_IS,
            value=1.0,
        ),
        Case(
            kind == Loss.ALIGNMENT_OF_SCORES,
            "an alignment loss (CTC) takes the outputs for logarithms of probabilities, and their"
            " exponentials do not add up to 1: it falls as long as outputs grow, whatever they "
            "say",
            "log_softmax(dim=-1) of the outputs before ctc_loss",
        ),
        Case(
            kind == Loss.OVERLAP_OF_SCORES,
            "a loss of overlap (Dice, IoU) takes the outputs for probabilities, which they are "
            "not: scores without bounds make it as small as one likes",
            "a sigmoid of the outputs before a loss of overlap, or a softmax where classes "
            "exclude each other",
        ),
        Case(
            clipped,
            "a binary cross-entropy takes the outputs for probabilities, which they are not: "
            "those below 0 or above 1 are cut off, and get no gradient",
            "binary_cross_entropy_with_logits on the outputs of the last linear layer; or a "
            "sigmoid as the last function",
        ),
        Case(
            seen == 2,
            "the loss divides the outputs of a sample by their sum to get probabilities: the "
            "network does not end with a softmax, but with another function, or with none",
            "torch.nn.Softmax(1) as the last function, in place of the one that stands there; or "
            "none there, and cross_entropy",
        ),
        Case(
            seen == 1,
            "the loss is the logarithm of the output at the place of the target, and the outputs "
            "of a sample do not add up to 1: no softmax has made them probabilities",
            "cross_entropy on the outputs of the last linear layer, with no function after it and"
            " no logarithm of your own",
        ),
        Case(
            (kind == Loss.CROSS_ENTROPY) & (figures["output_rows_one"] == 1),
            "the loss takes logits and applies a softmax itself, but the output has been through "
            "one already",
            "take the softmax off the network's end; where probabilities are wanted, apply it "
            "after training",
        ),
        Case(
            takes_logits & (figures["loss_activated"] == 1) | (of_loop == 4),
            "the loss takes logits and applies a softmax or sigmoid itself, but the training loop"
            " has put the output through one already",
            _AS_IT_IS,
            value=1.0,
        ),
        Case(takes_logits & (between | squashed), *_KEPT_BETWEEN),
        Case(
            takes_logits & cut,
            "the loss takes logits, but the output has been through a function that cuts it at 0:"
            " no class can be made unlikely",
            "take the last activation function off the network's end",
        ),
        Case(
            takes_logits & bounded,
            "the loss takes logits, but the output has been through a bounded function",
            "take the last activation function off the network's end",
        ),
        limits=(np.nan, 0.0, np.nan),
        source="torch.nn.CrossEntropyLoss: the input is expected to contain unnormalized logits; "
        "Bishop 2006, section 4.3.4, on softmax and cross-entropy",
        lasting=LOOKS,
    )


def _are_cut_off(figures: Figures, memory: Memory) -> Flags:
    """Whether no output is between 0 and 1, none has a slope, and the loss is above a guess's,
    [steps].
    """
    if memory.roles.last < 0:
        return np.zeros(len(figures.steps), bool)
    beyond = (figures["output_max"] <= 0) | (figures["output_min"] >= 1)
    flat = figures["activation_grad_rms"][:, memory.roles.last] == 0
    is_high = (figures["loss"] > _ABOVE_GUESSING) & (figures["loss_kind"] == Loss.UNKNOWN)
    return beyond & flat & is_high


@rule_of_run("loss_broadcast", looks_at=("targets_broadcast", "loss_broadcasts"))
def loss_broadcast(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """1 where the gradient, or the loss's graph, shows n x n differences of [n] and [n, 1]."""
    of_graph = figures["loss_broadcasts"] == 1
    ways = figures["targets_broadcast"]
    among_targets = memory.ever("among", ways == 1)
    told = (ways == 1) | ((ways == 2) & among_targets)
    values = np.fmax(np.where(ways == 2, told, ways), figures["loss_broadcasts"]).astype(np.float64)
    if told.any():
        low, high = figures["target_min"].astype(np.float64), figures["target_max"]
        middle, spread = (low + high) / 2, (high - low) / 2
        first = memory.of_run("first", 2)
        if np.isnan(first[0]):
            first[:] = middle[told][0], spread[told][0]
        same = np.abs(middle - first[0]) <= _ALIKE * spread
        told &= ~(same & (np.abs(spread - first[1]) > _ALIKE * spread))
    return Symptoms.of_run(
        "loss",
        values,
        np.where(told | of_graph, 3, 0),
        Advice(
            "the loss compares each output with the targets of all samples: output and target have "
            "shapes that broadcast, such as [n, 1] and [n]",
            "give both the same shape: target.unsqueeze(1), or output.squeeze(1)",
        ),
        Advice(
            "the loss combines each sample's number with those of all samples: two tensors in it "
            "have shapes that broadcast to [n, n], such as [n] and [n, 1]",
            "give both the same shape: squeeze(1) of the one, or unsqueeze(1) of the other",
        ),
        limits=(np.nan, np.nan, 0.0),
        source="NumPy's rules of broadcasting",
        lasting=LOOKS,
        cause=of_graph & ~told,
    )
