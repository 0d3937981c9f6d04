"""Overconfident start: before it has learned anything, a network should not be sure of anything."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.losses.loss_kind import ERRORS, OF_BITS, Loss
from layerscope.diagnose.measured.figures import Flags
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.roles import LARGEST_GAIN, Roles
from layerscope.diagnose.questions.in_each_look import LOOKS, in_each_look
from layerscope.diagnose.questions.weights_at_the_start import (
    are_large_throughout,
    gains_at_the_start,
    has_large_embedding,
    is_beyond_weights,
    large_scales,
)

_FAR = 10.0  # times the targets: the loss then starts a hundred times as high as that of saying 0
_ABOVE = 3.0
"""Times the targets, where the loss is above that of their mean for long: it began at ten times."""

_NEVER_MENDED = 1000.0
"""Times the targets: steps of a thousandth of the weights take thousands to make it 1."""

_HUNDREDS = 100.0
"""Nats: logits of hundreds, where those of the usual start cost 1."""

_NATS = 1.0
"""Above chance, in nats: logits of a standard deviation of 1.4, as Kaiming's init gives them, cost
about so much. Of two classes it is a ratio of 2.4, of many the ratio decides."""

_LARGEST_SCALE = 100.0
"""Of cosines as logits: 64 in ArcFace (Deng et al. 2019), 100 in CLIP (Radford et al. 2021)."""

_NOT_NEW, _TRAINED = 5.0, 6.0
"""Of the figure `untrained`."""


def _smaller(facts: LayerFacts) -> str:
    """Weights that torch draws by itself are smaller than Kaiming's."""
    if facts.configured:
        return "smaller weights in the last layer, as in init=kaiming, and no bias there"
    return (
        "smaller weights in the last layer, a tenth of those that it starts with "
        "(layer.weight.data *= 0.1), and no bias there"
    )


_OF_ALL = "smaller weights in all layers, as in init=kaiming, and biases of 0"
_IN_EACH_STEP = (
    "a tanh or a normalisation in each step of a recurrence, and orthogonal weights with a gain of "
    "1; a mean in the place of a sum"
)
_LOSS = "the loss at step 0 is {value:.2g} times that of uniform guessing (limit {threshold:g})"
_OUTPUTS = (
    "the outputs of {layer} at step 0 are {value:.2g} times as large as the targets (limit "
    "{threshold:g})"
)
_OF_TARGETS = (np.nan, _FAR, np.nan)
_ADVICE = (
    Advice(_LOSS + ": {layer} starts too sure of itself", _smaller),
    Advice(_OUTPUTS + ": the first steps are spent on making them small", _smaller, _OF_TARGETS),
    Advice(
        _LOSS + ", though no weights are large: the biases of {layer} are, or a factor on its "
        "outputs; or the network was trained on something else before",
        "biases of 0 in the last layer; no factor, and no temperature far below 1, on its outputs",
    ),
    Advice(
        _LOSS + ": {layer} starts too sure of itself, as the layers before it have large weights "
        "too",
        _OF_ALL,
    ),
    Advice(_OUTPUTS + ", as the layers before it have large weights too", _OF_ALL, _OF_TARGETS),
    Advice(
        _OUTPUTS + ", though inputs and weights are of a usual size: they grow on the way, as in a "
        "recurrence, or in a sum of many terms",
        _IN_EACH_STEP,
        _OF_TARGETS,
    ),
    Advice(
        _LOSS + ", though inputs and weights are of a usual size: the outputs of {layer} have "
        "grown on the way, as in a recurrence, or in a sum of many terms",
        _IN_EACH_STEP,
    ),
    Advice(
        "the outputs of {layer} at step 0 were {value:.2g} times as large as the targets (limit "
        "{threshold:g}), and the loss is still above that of the targets' mean: all that has been "
        "learned is to make them smaller",
        lambda facts: (
            f"{_smaller(facts)}; and no factor on its outputs: scale the targets in its place"
        ),
        (np.nan, _ABOVE, np.nan),
    ),
    Advice(
        _LOSS + ": {layer} shares the weights of an embedding, and these are too large for it",
        "nn.init.normal_(embedding.weight, std=0.02) where the last layer shares an embedding's "
        "weights, which nn.Embedding draws with a standard deviation of 1",
    ),
    Advice(
        "the outputs at step 0 are {value:.2g} times as large as the inputs (limit {threshold:g}), "
        "as most layers, such as {layer}, have large weights",
        _OF_ALL,
        _OF_TARGETS,
    ),
    Advice(
        _LOSS + ": {layer} starts too sure of itself",
        "smaller weights in each matrix that this module multiplies with, as torch.randn(n, m) / "
        "n**0.5, and biases of 0",
    ),
)
_HELD_UP, _OF_EMBEDDING, _BY_WEIGHTS, _OF_MODULE, _OF_SCALE = 7, 8, 9, 10, 11

_NAMED = 3
"""Of such parameters, so many."""


def _of_scales(memory: Memory) -> tuple[Advice, Advice]:
    """What to say where parameters that are no matrices are large, of a loss and of targets."""
    size, *places = memory.of_run("scales", 1 + _NAMED)
    layers = memory.roles.layers
    names = " and ".join(layers[int(place)].name for place in places if place < len(layers))
    words = (
        f": weights of {names}, which multiply what comes through, begin with a root mean square "
        f"of up to {size:.2g}, where a scale or a normalisation begins at 1"
    )
    remedy = "begin these weights at 1, nn.init.ones_(module.weight)"
    return Advice(_LOSS + words, remedy), Advice(_OUTPUTS + words, remedy, _OF_TARGETS)


@rule_with_memory("overconfident_start")
def overconfident_start(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Loss at step 0 / ln(classes), what uniform guessing costs; of a regression, the RMS of the
    outputs / that of the targets; of other losses, such as one of several outputs, / that of the
    inputs, where the weights of most layers are large.
    """
    values = np.full((len(figures.steps), len(figures.layers)), np.nan, np.float32)
    roles = memory.roles
    severity, cause = np.zeros((2, *values.shape), np.int8)
    limit = thresholds.overconfident_start
    if roles.last >= 0 and figures.steps[0] == 0 and _is_judged(figures, roles):
        value, limit, severity[0, roles.last], cause[0] = _at_the_start(figures, thresholds, memory)
        values[0, roles.last] = value
    if (held_up := _held_up(figures, thresholds, memory)).any():
        values[held_up, roles.last] = memory.of_run("times")[0]
        severity[held_up, roles.last], cause[held_up] = 2, _HELD_UP
    return Symptoms.of_layers(
        values,
        severity,
        *_ADVICE,
        *_of_scales(memory),
        limits=(limit, limit, np.nan),
        source="Karpathy, nn-zero-to-hero, lecture 3: a loss of 27 where ln(27) = 3.3 was due",
        cause=cause,
        since=np.zeros(values.shape, np.int64),
    )


def _is_judged(figures: Figures, roles: Roles) -> bool:
    last = roles.layers[roles.last]
    if figures["goes_on"][0] == 1 or not (last.trainable or last.nonlinearity is not None):
        return False
    if figures["input_nonfinite"][0] > 0:  # nothing is known of what it makes of numbers
        return False
    largest = max(figures["output_max"][0], -figures["output_min"][0])
    return not (figures["output_cosines"][0] == 1 and largest <= _LARGEST_SCALE)


def _at_the_start(
    figures: Figures, thresholds: Thresholds, memory: Memory
) -> tuple[float, float, int, int]:
    """(value, limit, severity, cause) of step 0."""
    roles = memory.roles
    value, limit, level = np.nan, thresholds.overconfident_start, np.nan
    kind, (classes, times) = figures["loss_kind"][0], _classes(figures, roles)
    of_targets = classes is None and kind in ERRORS
    if of_targets:
        # Targets of a squared error are unknown where they are lost in the rounding of its slope:
        # outputs are then millions of times as large.
        lost = kind == Loss.SQUARED_ERROR and np.isnan(figures["target_rms"][0])
        size = 1.0 if lost else max(float(figures["target_rms"][0]), 1.0)
        value, limit = float(figures["output_rms"][0] / size), _FAR
        memory.of_run("times")[0] = value
    elif classes is not None:
        beside = figures["loss_beside"][0]  # a penalty's share is no confidence
        level = figures["loss"][0] / times * (1 - (beside if beside > 0 else 0))
        value = level / np.log(classes)
        if level - np.log(classes) < _NATS:
            limit = np.inf
    elif are_large_throughout(figures, roles):
        value = float(figures["output_rms"][0] / np.fmax(figures["input_rms"][0], 1))
        return value, _FAR, 2 * (value > _FAR), _BY_WEIGHTS
    if not value > limit:
        return value, thresholds.overconfident_start, 0, 0
    gains = gains_at_the_start(figures, roles)
    usual = bool(len(gains) and (gains < LARGEST_GAIN).all())
    before = bool((gains[:-1] >= LARGEST_GAIN).any())
    beyond = usual and not of_targets and is_beyond_weights(figures, roles)
    # A single layer has no way to grow on; the weights of a recurrence are among the trained.
    long = usual and (roles.only("trained") == 1).sum() > 1
    grown = value > _NEVER_MENDED if of_targets and long else level > _HUNDREDS
    grown = bool(long and grown and figures["input_rms"][0] <= thresholds.input_large)
    tied = not of_targets and has_large_embedding(figures, roles)
    severity = 1 if usual and not (beyond or grown or tied) else 2
    if not (beyond or grown or tied):
        trained = figures["untrained"][0, roles.last]
        if trained >= (_NOT_NEW if severity == 1 else _TRAINED):  # it is sure of something else
            return value, limit, 0, 0
    if tied:
        return value, limit, severity, _OF_EMBEDDING
    scales = large_scales(figures, roles)
    if scales and (gains[~np.isnan(gains)] < LARGEST_GAIN).all():
        named = scales[:_NAMED]
        kept = memory.of_run("scales", 1 + _NAMED)
        kept[0], kept[1 : 1 + len(named)] = figures["weight_rms"][0, scales].max(), named
        return value, limit, severity, _OF_SCALE + of_targets
    if grown:
        return value, limit, severity, 6 - of_targets
    if not (of_targets or beyond or np.isfinite(gains).any()):
        return value, limit, severity, _OF_MODULE
    return value, limit, severity, 2 if beyond else of_targets + 3 * before


def _held_up(figures: Figures, thresholds: Thresholds, memory: Memory) -> Flags:
    """Where outputs began far larger than the targets, and with `patience` steps the error is still
    above that of the targets' mean, which a bias alone learns, [steps].
    """
    if not memory.of_run("times")[0] > _ABOVE or memory.roles.last < 0:
        return np.zeros(len(figures.steps), bool)
    curve = memory.loss_curve.of(figures)
    of_squares = figures["loss_kind"] == Loss.SQUARED_ERROR
    of_mean = figures["target_std"].astype(np.float64) ** np.where(of_squares, 2, 1)
    above = np.where(np.isnan(of_mean), np.nan, curve.level > of_mean * figures["loss_reduction"])
    so = in_each_look(above, memory.of_run("above", 1 + LOOKS))
    late: Flags = curve.known >= thresholds.patience
    return so & late & (curve.level < curve.start)


def _classes(figures: Figures, roles: Roles) -> tuple[int | None, float]:
    """How many the loss chooses from, None if that is not known; and how many times its mean it is.

    Where parts of a batch count for their share, the loss that is told is a part's, or all's.
    """
    kind, times = figures["loss_kind"][0], max(figures["loss_reduction"][0], 1.0)
    if roles.classes is None and times > 0:
        if kind in (Loss.CROSS_ENTROPY, Loss.LOG_OF_OUTPUT):
            return int(figures["outputs"][0]), times
        if kind in OF_BITS:
            return 2, times
    return roles.classes, 1.0
