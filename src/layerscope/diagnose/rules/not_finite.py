"""Not finite: the layer that made the first NaN or infinity, not those that passed it on."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.questions.recurrent import CLIP, is_recurrent

_OUTPUT, _INPUT, _BETWEEN, _WEIGHTS, _BACKWARD, _WEIGHT_GRADIENT, _PARAMETER, _EPSILON = range(8)
_OUTPUT_AT_ONCE, _GIVEN_UNKNOWN, _MASKED, _WEIGHTS_AT_ONCE, _PARAMETER_AT_ONCE, _AT_AN_END = range(
    8, 14
)

_FUNCTIONS = (
    "look at the functions before it in the forward of your module: a logarithm, root or division "
    "of what may be 0 (torch.log(x + 1e-6)), an exp of what may be large, a softmax over a row "
    "that is masked whole"
)

_OF_STEPS = (
    "a smaller optimizer.lr; an optimizer's eps that its type can hold (1e-8 is 0 in float16: "
    "1e-4), or weights in float32; torch.nn.utils.clip_grad_norm_(..., error_if_nonfinite=True) "
    "before the step"
)


_OF_START = (
    "draw them before the first step: torch.empty holds whatever lay in memory, so that "
    "nn.Parameter(torch.empty(...)) needs torch.nn.init; look at what they are computed from, and, "
    "where they were loaded, at the file: isfinite().all() of each tensor"
)


def _within_bounds(facts: LayerFacts) -> str:
    if is_recurrent(facts):
        return f"{CLIP}; and a smaller optimizer.lr"
    return (
        "a smaller optimizer.lr; in your own module, a bound on what is exponentiated, divided by "
        "or taken the root of; trainer.precision=bf16-mixed if it overflowed in float16"
    )


_ADVICE = (
    Advice(
        "outputs of {layer} are not finite ({value:.0f} of them), from finite inputs",
        _within_bounds,
    ),
    Advice(
        "outputs of {layer} are not finite ({value:.0f} of them), and neither were its inputs",
        "look at the data of that step: they are not finite before the first layer",
    ),
    Advice(
        "outputs of {layer} are not finite ({value:.0f} of them): its inputs were not, though all "
        "layers before it gave finite outputs",
        _FUNCTIONS,
    ),
    Advice(
        "outputs of {layer} are not finite ({value:.0f} of them), because its weights are not: the "
        "step before made them so",
        lambda facts: f"{CLIP}; else {_OF_STEPS}" if is_recurrent(facts) else _OF_STEPS,
    ),
    Advice(
        "gradients are not finite before {layer} ({value:.0f} of them), and all are finite behind "
        "it",
        "in your own module, a root or norm of what may be 0: its slope there is infinite; "
        "torch.autograd.set_detect_anomaly(True) names the line",
    ),
    Advice(
        "weight gradients of {layer} are not finite ({value:.0f} of them), though those of the "
        "outputs are",
        "a smaller loss: a sum over many samples overflowed; trainer.precision=bf16-mixed",
    ),
    Advice(
        "elements of {layer}, a parameter, are not finite ({value:.0f} of them): the step before "
        "made them so, and what is computed with them is not finite either",
        _OF_STEPS,
    ),
    Advice(
        "outputs of {layer} are not finite ({value:.0f} of them), because weights are not: the "
        "optimizer's eps is 0 in float16, their type, so it divides 0 by 0 where a gradient is 0",
        "weights in float32, with torch.autocast for the passes; or an optimizer made with "
        "eps=1e-4; no optimizer.lr is small enough",
    ),
    Advice(
        "outputs of {layer} are not finite ({value:.0f} of them) in the very first step, from "
        "finite inputs",
        "in your own module, a bound on what is exponentiated, divided by or taken the root or the "
        "logarithm of; trainer.precision=bf16-mixed if it overflowed in float16",
    ),
    Advice(
        "outputs of {layer} are not finite ({value:.0f} of them), though its weights are, and so "
        "are the data and all outputs of the layers before it",
        f"{_FUNCTIONS}; trainer.precision=bf16-mixed if it overflowed in float16",
    ),
    Advice(
        "gradients are not finite before {layer} ({value:.0f} of them), and those of all weights "
        "are: units that are not active have kept them back, so far",
        "in your own module, a root or norm of what may be 0: its slope there is infinite; a small "
        "number added to what is under the root, torch.sqrt(x + 1e-12)",
    ),
    Advice(
        "outputs of {layer} are not finite ({value:.0f} of them), because its weights were not "
        "before the very first step",
        _OF_START,
    ),
    Advice(
        "elements of {layer}, a parameter, were not finite before the very first step "
        "({value:.0f} of them), and what is computed with them is not finite either",
        _OF_START,
    ),
    Advice(
        "gradients that come to the outputs of {layer} are not finite ({value:.0f} of them), and "
        "some of these outputs are 0 or 1, or as good as that: what takes a logarithm, a root, a "
        "power or a division of them, or of 1 minus them, is infinitely steep there",
        "cross_entropy, log_softmax, logsigmoid or binary_cross_entropy_with_logits, which take "
        "what goes into the softmax or sigmoid; or p.clamp(1e-6, 1 - 1e-6) of a probability first; "
        "and, where it came with a step, a smaller optimizer.lr",
    ),
)
_STEEP = 1e-30
"""Of a probability: its inverse is about to be infinite, that of 3e-39 is."""


@rule_with_memory("not_finite")
def not_finite(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """Elements that are NaN or infinite."""
    outputs, gradients = figures["activation_nonfinite"], figures["activation_grad_nonfinite"]
    weights = figures["weight_grad_nonfinite"]
    rows = ((outputs > 0) | (gradients > 0) | (weights > 0)).any(axis=1)
    lost = memory.known("lost", figures["epsilon_lost"]) == 1
    if not rows.any():
        return Symptoms(outputs)
    bare = figures["weight_nonfinite"]
    values = np.where(outputs > 0, outputs, np.fmax(gradients, weights))
    values = np.where(np.isnan(outputs) & (bare > 0), bare, values)
    severity = np.zeros(values.shape, np.int8)
    cause = np.zeros(values.shape, np.int8)
    producer = memory.of_run("producer", 2)  # which layer, and how; those after it pass it on
    for row in np.flatnonzero(rows).tolist():
        if np.isnan(producer[0]):
            if np.isinf(figures["loss"][row]) and not (outputs[row] > 0).any():
                continue  # the loss made it, and backward only passes it on
            producer[:] = _producer(figures, row, memory.roles)
            if producer[1] in (_WEIGHTS, _PARAMETER):
                producer[1] = _of_weights(int(producer[1]), figures.steps[row] == 0, lost[row])
        layer, how = int(producer[0]), int(producer[1])
        severity[row, layer], cause[row, layer] = 3, how
        if how in (_BACKWARD, _AT_AN_END):  # of the layer before, or of whatever this step tells of
            told = gradients[row] if (gradients[row] > 0).any() else values[row]
            values[row, layer] = np.fmax.reduce(told)
            known = weights[row][~np.isnan(weights[row])]
            if len(known) and not known.any():  # a ReLU lets those through that its units ask for
                severity[row, layer], cause[row, layer] = 1, _MASKED
    limits = (np.nan, np.nan, 0.0)
    return Symptoms(values, severity, limits, _ADVICE, "any at all", 1, cause)


def _of_weights(how: int, at_once: bool, lost: bool) -> int:
    """What has made weights that are not finite: no step that comes before the first."""
    if at_once:
        return _WEIGHTS_AT_ONCE if how == _WEIGHTS else _PARAMETER_AT_ONCE
    return _EPSILON if lost else how


def _producer(figures: Figures, row: int, roles: Roles) -> tuple[int, int]:
    """(layer, cause) of what is not finite in this step."""
    in_order = np.argsort(roles.rank).tolist()
    ill = [i for i in in_order if figures["activation_nonfinite"][row, i] > 0]
    if ill:
        return _of_outputs(figures, row, ill[0], roles)
    gradients = figures["activation_grad_nonfinite"][row]
    reached = [i for i in in_order if gradients[i] >= 0]
    ill = [place for place, i in enumerate(reached) if gradients[i] > 0]
    if ill and _is_at_an_end(figures, row, reached[ill[-1]], roles):
        return reached[ill[-1]], _AT_AN_END
    if ill:  # nothing comes after the last layer but the loss
        return reached[min(ill[-1] + 1, len(reached) - 1)], _BACKWARD
    weights = [i for i in in_order if figures["weight_grad_nonfinite"][row, i] > 0]
    return weights[0], _WEIGHT_GRADIENT


def _is_at_an_end(figures: Figures, row: int, layer: int, roles: Roles) -> bool:
    """Whether a sigmoid or a softmax gives shares, some of which are about 0 or 1."""
    lowest, highest = (figures[f"activation_{end}"][row, layer] for end in ("min", "max"))
    is_one = roles.layers[layer].nonlinearity in ("sigmoid", "softmax")
    return bool(is_one and (lowest < _STEEP or highest == 1))


def _of_outputs(figures: Figures, row: int, layer: int, roles: Roles) -> tuple[int, int]:
    """The cause for the first layer, in forward order, whose outputs are not finite."""
    finite = figures["inputs_finite"][row, layer]
    is_first = roles.layers[layer].order == 0
    if figures["input_nonfinite"][row] > 0:
        return layer, _INPUT
    if figures["weight_nonfinite"][row, layer] > 0:
        return layer, _WEIGHTS
    bare = np.isnan(figures["activation_nonfinite"][row])
    bare &= figures["weight_nonfinite"][row] > 0
    if bare.any() and finite != 1:
        return int(np.flatnonzero(bare)[0]), _PARAMETER
    if finite == 0:
        return layer, _INPUT if is_first else _BETWEEN
    if np.isnan(finite) and roles.layers[layer].weights and roles.layers[layer].nonlinearity:
        return layer, _GIVEN_UNKNOWN  # of a linear module and its function in one
    return layer, _OUTPUT_AT_ONCE if figures.steps[row] == 0 else _OUTPUT
