"""A layer of one or two units that everything has to pass."""

from functools import lru_cache
from itertools import pairwise

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_with_memory
from layerscope.diagnose.losses.loss_kind import ERRORS, OF_BITS, OF_CLASSES
from layerscope.diagnose.measured.roles import Roles
from layerscope.diagnose.questions.solved import left_of_chance

_FEW = 2
"""Units. A plane is drawn for eyes; a code of three and more is a size that one may well choose."""

_LEFT = 0.25
"""Of chance: a network that is past three quarters of its way has room enough."""

_LATE = 4
"""Times `patience`: what is narrow learns slowly, if it does."""


@rule_with_memory("too_narrow")
def too_narrow(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Units of a layer between two wider ones, which all of the outputs are made of: one where
    there are three classes or more, two where there are more than four; or one unit of the first
    layer, where there is one output: it is then a function of one sum of the features.
    """
    narrow = _narrow(memory.roles)
    values = np.full((len(figures.steps), len(memory.roles.layers)), np.nan)
    if not narrow:
        return Symptoms(values)
    kind = memory.known("kind", figures["loss_kind"])
    outputs = memory.known("outputs", figures["outputs"])
    of_classes = np.isin(kind, OF_CLASSES)
    of_one_number = np.isin(kind, (*OF_BITS, *ERRORS)) & (outputs == 1) | of_classes & (
        outputs == 2
    )
    known = memory.loss_curve.of(figures).known
    late = known >= _LATE * thresholds.patience
    behind = (left_of_chance(figures, memory) > _LEFT) & (known >= thresholds.patience)
    severity = np.zeros(values.shape, np.int8)
    for index, (units, is_first) in narrow.items():
        asks_more = of_classes & (outputs > 2 * units)
        asks_more |= of_one_number & (units == 1) & is_first
        values[:, index] = units
        severity[:, index] = (behind & asks_more) * (1 + late)
    return Symptoms.of_layers(
        values,
        severity,
        Advice(
            "everything has to pass {layer} on its way to the output; it has a width of "
            "{value:.0f}, and the loss is still above a quarter of what guessing costs",
            "more units there: as many as its neighbours have",
        ),
        limits=(_FEW, _FEW, np.nan),
        source="Goodfellow et al. 2016, Deep Learning, section 6.4.1: what cannot be represented "
        "is not learned",
        since=np.zeros(values.shape, np.int64),
        falling=True,
    )


@lru_cache(maxsize=1)
def _narrow(roles: Roles) -> dict[int, tuple[int, bool]]:
    """Units of such layers, and whether no layer comes before, by index."""
    reached = [
        i
        for i, facts in enumerate(roles.layers)
        if facts.order >= 0 and facts.on_trunk and facts.width is not None
    ]
    reached.sort(key=lambda i: roles.layers[i].order)
    widths = [roles.layers[i].width or (0, 0) for i in reached]
    return {
        index: (units, index == reached[0])
        for index, ((inputs, units), (taken, made)) in zip(reached, pairwise(widths), strict=False)
        if inputs > units == taken < made and units <= _FEW and roles.layers[index].weights
    }
