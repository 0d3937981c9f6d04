"""Not finite: the layer that made the first NaN or infinity, not those that passed it on."""

from __future__ import annotations

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_with_memory
from layerscope.diagnose.roles import Roles
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_OUTPUT, _INPUT, _LOSS, _BACKWARD, _WEIGHT = range(5)

_ADVICE = (
    Advice(
        "{value:.0f} outputs of {layer} are not finite, from finite inputs",
        "a smaller optimizer.lr; in your own module, a bound on what is exponentiated, divided "
        "by or taken the root of; trainer.precision=bf16-mixed if it overflowed in float16",
    ),
    Advice(
        "{value:.0f} outputs of {layer} are not finite, and neither were its inputs",
        "look at the data of that step: they are not finite before the first layer",
    ),
    Advice(
        "the loss is not finite, though all outputs up to {layer} are",
        "in your own loss, log and division of what may be 0; torch.nn.functional.cross_entropy "
        "takes logits",
    ),
    Advice(
        "{value:.0f} gradients are not finite before {layer}, and all are finite behind it",
        "in your own module, a root or norm of what may be 0: its slope there is infinite; "
        "torch.autograd.set_detect_anomaly(True) names the line",
    ),
    Advice(
        "{value:.0f} weight gradients of {layer} are not finite, though those of the outputs are",
        "a smaller loss: a sum over many samples overflowed; trainer.precision=bf16-mixed",
    ),
)


@rule_with_memory("not_finite")
def not_finite(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """Elements that are NaN or infinite: the limit is 0, and it is always critical.

    The producer is sought in the first step that has any. Forward: the first layer with such
    outputs and finite inputs; where that is unknown, the first at all. Then the loss. Backward: the
    gradient of a layer's outputs is made by the layer after it; so the producer comes right after
    the last layer whose outputs have a gradient that is not finite. Then weights alone.
    """
    outputs, gradients = figures["activation_nonfinite"], figures["activation_grad_nonfinite"]
    weights, loss = figures["weight_grad_nonfinite"], figures["loss"]
    shown = (outputs > 0) | (gradients > 0) | (weights > 0)
    rows = shown.any(axis=1) | np.isinf(loss)
    if not rows.any():
        return Symptoms(outputs)
    values = np.fmax(np.fmax(outputs, gradients), weights)
    severity = np.zeros(values.shape, np.int8)
    cause = np.zeros(values.shape, np.int8)
    producer = memory.of_run("producer", 2)  # which layer, and how; those after it pass it on
    for row in np.flatnonzero(rows).tolist():
        if np.isnan(producer[0]):
            producer[:] = _producer(figures, row, memory.roles)
        layer = int(producer[0])
        severity[row, layer], cause[row, layer] = 3, int(producer[1])
    limits = (np.nan, np.nan, 0.0)
    return Symptoms(values, severity, limits, _ADVICE, "any at all", 1, cause)


def _producer(figures: Figures, row: int, roles: Roles) -> tuple[int, int]:
    """(layer, cause) of what is not finite in this step."""
    in_order = np.argsort(roles.rank)
    ill = [i for i in in_order.tolist() if figures["activation_nonfinite"][row, i] > 0]
    if ill:
        finite = figures["inputs_finite"][row]
        made = [i for i in ill if finite[i] == 1]
        if made:
            return made[0], _OUTPUT
        return ill[0], _INPUT if finite[ill[0]] == 0 else _OUTPUT
    if np.isinf(figures["loss"][row]):
        return max(roles.last, 0), _LOSS
    gradients = figures["activation_grad_nonfinite"][row]
    reached = [i for i in in_order.tolist() if gradients[i] >= 0]
    ill = [place for place, i in enumerate(reached) if gradients[i] > 0]
    if ill:
        after = ill[-1] + 1
        return (reached[after], _BACKWARD) if after < len(reached) else (reached[-1], _LOSS)
    weights = [i for i in in_order.tolist() if figures["weight_grad_nonfinite"][row, i] > 0]
    return (weights[0], _WEIGHT) if weights else (max(roles.last, 0), _LOSS)
