"""Targets that the output cannot reach."""

import math

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.losses.loss_kind import ERRORS, Loss
from layerscope.diagnose.losses.shares import Shares
from layerscope.diagnose.measured.figures import Values
from layerscope.diagnose.measured.last_function import LastFunction
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.questions.loss_terms import is_of_no_known_kind
from layerscope.diagnose.questions.target_bits import targets_are_bits, targets_beyond_bits

_BEYOND = 0.05
"""Of the targets' spread: labels smoothed to 0 and 1 are within."""

_BY_NOISE = 0.2
"""Of the same: what noise in the targets of a bounded function reaches beyond its ends."""

_LEFT = 0.25
"""Of the targets' variance: that of a batch is known no better than to a tenth or two."""

_NEARLY_ALL = 0.9
"""Of a gradient: the other samples' part is lost in what one batch differs from the next by."""

_OUT_OF_RANGE = (
    Advice(
        "targets lie outside the range of the output, by {value:.2g} of their standard deviation: "
        "the network's last function does not reach them",
        "for a regression, no function after the last layer (or targets scaled into its "
        "range); for more than two classes, an output each and cross_entropy",
    ),
    Advice("", ""),  # in its place stands what `targets_beyond_bits` says
    Advice(
        "targets of 0 and 1 lie outside the range of the output, by {value:.2g} of their standard "
        "deviation: another function stands before its sigmoid",
        "the sigmoid right after the last linear layer, and no other function before it",
    ),
    Advice(
        "the outputs of a sample are made to add up to 1, and its targets do not: their sum is "
        "off by {value:.2g} on average",
        "where a sample may have several labels, no softmax: an output each, and "
        "binary_cross_entropy_with_logits",
    ),
    Advice(
        "a hinge loss gets targets of 0 and 1: where the target is 0 it has no slope, and nothing "
        "is learned from such samples",
        "targets of -1 and 1 for a hinge loss: 2 * y - 1",
    ),
    Advice(
        "the outputs of a sample are made to add up to 1, as by a softmax, and the targets of "
        "its error do not: their sum is off by {value:.2g} on average",
        "for a regression, no softmax after the last layer, and no other function",
    ),
    Advice(
        "targets lie outside the range of the output, by {value:.2g} of their standard deviation: "
        "it is a recurrent layer's state, which lies between -1 and 1",
        "a linear layer after the recurrent one: nn.Linear(hidden_size, outputs)",
    ),
    Advice(
        "a percentage error divides by its targets, and some of them are 0, or close to it: "
        "{value:.1%} of the gradient comes from these",
        "l1_loss or mse_loss on targets that are scaled; for labels of 0 and 1, "
        "binary_cross_entropy_with_logits and no function after the last layer",
        (np.nan, _NEARLY_ALL, np.nan),
    ),
    Advice(
        "a normalisation comes last: its outputs have a mean of 0 and a deviation of 1, whatever "
        "is learned, and the targets do not; the error cannot fall below {value:.2g} times the "
        "targets' variance",
        "no normalisation after the last layer; or targets that are scaled: subtract their "
        "mean and divide by their standard deviation over the training data",
        (np.nan, _LEFT, np.nan),
    ),
    Advice(
        "a cross-entropy takes targets of the outputs' shape for probabilities, which these are "
        "not: some are negative, so nothing keeps the loss from falling for ever",
        "for a regression, mse_loss; for classes, their numbers as integers, or probabilities that "
        "add up to 1 in each sample",
    ),
    Advice(
        "a cross-entropy takes targets of the outputs' shape for probabilities, which these are "
        "not: in some samples, or all, they do not add up to 1, as its softmax does",
        "for a regression, mse_loss; for several labels a sample, "
        "binary_cross_entropy_with_logits; for classes, their numbers as integers",
    ),
    Advice(
        "an error, beside other terms of the loss, has targets outside the range of the output, "
        "by {value:.2g} of their standard deviation: the network's last function does not reach "
        "them",
        "targets scaled into that range: of an autoencoder, data of 0 to 1 before a sigmoid, and "
        "of -1 to 1 before a tanh; else no function after the last layer",
    ),
    Advice(
        "targets lie outside the range that a clamp, or a function of the training loop, leaves of "
        "the output, by {value:.2g} of their standard deviation: it never reaches them, and gets "
        "no gradient where it is cut off",
        "no clamp, sigmoid, tanh or ReLU between the last layer and the loss: cut outputs off "
        "where they are used, not while the network learns; or targets scaled into that range",
    ),
)


_OF_BITS, _CLAMPED = 1, 12


@rule_of_run("target_out_of_range", looks_at="loss_kind")
def target_out_of_range(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """How far targets lie beyond the range of the last layer's function, in their own spread; for a
    binary cross-entropy beyond 0 to 1.
    """
    kind = figures["loss_kind"]
    low, high = _range(figures, memory)
    binary = (kind == Loss.BINARY) | (kind == Loss.BINARY_LOGITS)
    # By chance the slopes of another loss fit an error's in some looks.
    error = np.isin(kind, ERRORS) & ~is_of_no_known_kind(figures, memory)
    least, most = _of_sigmoid(memory.roles)
    of_shares = kind == Loss.BINARY
    lows = np.where(of_shares, least, np.where(binary, 0.0, np.where(error, low, -np.inf)))
    highs = np.where(of_shares, most, np.where(binary, 1.0, np.where(error, high, np.inf)))
    spread = np.fmax(figures["target_std"], 1e-6)
    below = (lows - figures["target_min"]) / spread
    above = (figures["target_max"] - highs) / spread
    values = np.fmax(np.fmax(below, above), 0.0).astype(np.float64)
    values[~(binary | error)] = np.nan
    clamped = error & ~np.isnan(figures["output_low"])
    bits = ~((figures["target_min"] < 0) | (figures["target_max"] > 1))
    each_sums = (figures["output_rows_one"] == 1) & (figures["outputs"] > 2)
    several = np.abs(np.square(figures["target_rms"]) * figures["outputs"] - 1).astype(np.float64)
    at_once = (
        (of_shares & bits | error & targets_are_bits(figures)) & each_sums & (several > _BEYOND)
    )
    of_counts = figures["targets_are_inputs"] > 0  # a multinomial's, whose sum is no matter
    at_once |= (kind == Loss.SEVERAL_CLASSES) & ~of_counts
    values = np.where(at_once, several, values)
    # The targets of an absolute error are known on average only.
    error_of_shares = (kind == Loss.SQUARED_ERROR) & (figures["output_rows_one"] == 1)
    error_of_shares &= ~targets_are_bits(figures)
    error_of_shares &= (figures["outputs"] > 1) & (figures["target_sum"] > _BEYOND)
    values = np.where(error_of_shares, figures["target_sum"], values)
    # Of a binary cross-entropy of shares with targets between 0 and 1 no more is known than these.
    apart = (kind == Loss.UNKNOWN) & each_sums & (figures["target_sum"] > _BEYOND)
    values = np.where(apart, figures["target_sum"], values)
    hinge = kind == Loss.HINGE_OF_BITS
    values[hinge] = 1.0
    relative = kind == Loss.PERCENTAGE_ERROR
    zeros = memory.highest("zeros", figures["target_zeros"])  # of some batches no target is one
    values[relative] = np.where(zeros > _NEARLY_ALL, zeros, 0.0)[relative]
    recurrent = figures["output_function"] == LastFunction.RECURRENT
    normalized = (kind == Loss.SQUARED_ERROR) & (
        figures["output_function"] == LastFunction.NORMALIZED
    )
    values = np.where(normalized, _left_by_norm(figures), values)
    beside = (kind == Loss.UNKNOWN) & ~np.isnan(figures["target_beyond"]) & ~apart
    values = np.where(beside, figures["target_beyond"], values)
    unknown = (figures["passes"] > 1) | of_counts
    no_shares = np.where(unknown, np.nan, figures["targets_no_shares"])
    values = np.where(np.isnan(no_shares), values, no_shares > 0)
    of_beside = np.where(np.isnan(figures["output_low"]), 11, _CLAMPED)
    ill = values > np.where(normalized, _LEFT, _BEYOND)
    cause = np.select(
        (
            *(no_shares == Shares.NEGATIVE, no_shares == Shares.OF_OTHER_SUMS, relative, hinge),
            *(error_of_shares, beside, at_once | apart, binary & bits, binary),
            *(recurrent, normalized, clamped),
        ),
        (9, 10, 7, 4, 5, of_beside, 3, 2, _OF_BITS, 6, 8, _CLAMPED),
        0,
    )
    advice = list(_OUT_OF_RANGE)
    advice[_OF_BITS] = Advice(*targets_beyond_bits(figures, memory, ill))
    return Symptoms.of_run(
        "output",
        values,
        np.where(ill, np.where(np.isin(cause, (0, _CLAMPED)) & (values < _BY_NOISE), 1, 2), 0),
        *advice,
        limits=(np.nan, _BEYOND, np.nan),
        source="the range of the function; torch.nn.BCELoss: targets between 0 and 1; Hyndman and "
        "Koehler 2006, section 2.2: percentage errors are infinite where a target is 0",
        lasting=3,
        cause=cause,
    )


def _left_by_norm(figures: Figures) -> Values:
    """The least squared error of outputs of mean 0 and deviation 1 / the targets' variance."""
    deviation = figures["target_std"].astype(np.float64)
    of_mean = np.fmax(np.square(figures["target_rms"].astype(np.float64)) - deviation**2, 0.0)
    return (of_mean + np.square(deviation - 1)) / np.fmax(deviation, 1e-6) ** 2


def _of_sigmoid(roles: Roles) -> tuple[float, float]:
    """Between which values a sigmoid lies that comes last, by the function right before it."""
    last = roles.layers[roles.last] if roles.last >= 0 else None
    if last is None or last.nonlinearity != "sigmoid" or last.weights:
        return 0.0, 1.0
    before = next((each for each in roles.layers if each.order == last.order - 1), last)
    name = (before.nonlinearity or "").upper()
    if name not in LastFunction.__members__ or before is last:
        return 0.0, 1.0
    low, high = LastFunction[name].range
    return 1 / (1 + math.exp(-low)), 1 / (1 + math.exp(-high))


def _range(figures: Figures, memory: Memory) -> tuple[Values, Values]:
    """Of the outputs, in each step."""
    written = figures["output_function"]
    low, high = np.full(len(written), -np.inf), np.full(len(written), np.inf)
    for code in set(written[written > 0].tolist()):
        low[written == code], high[written == code] = LastFunction(int(code)).range
    low = np.fmax(low, figures["output_low"])
    high = np.fmin(high, figures["output_high"])
    if memory.roles.last < 0:
        return low, high
    facts: LayerFacts = memory.roles.layers[memory.roles.last]
    if facts.bounds is None or (facts.nonlinearity or "").upper() in LastFunction.__members__:
        return low, high
    return np.fmax(low, facts.bounds[0]), np.fmin(high, facts.bounds[1])
