"""Outputs that all point the same way, under a loss for which only their direction counts."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Flags, Steps, Values
from layerscope.diagnose.questions.in_each_look import LOOKS

_ALIKE = 0.99
_DRAWN, _RISEN = 0.9, 0.2
"""Above the one for `patience` steps, and by the other above the first: a healthy loss of cosines
without negatives brings outputs nearer at first, too, and apart again (SimSiam, figure 2)."""
_REMEDY = (
    "something that drives samples apart: other samples as negatives; labels of -1 for pairs that "
    "differ, not 0; a stopped gradient and a predictor (SimSiam: -cosine(p, z.detach())); triplets "
    "of any negatives first, and of the hardest later; a loss that comes to rest at its margin "
    "may have positives and negatives exchanged: relu(d_positive - d_negative + margin) is of "
    "distances, relu(s_negative - s_positive + margin) of similarities"
)


@rule_of_run("outputs_alike", looks_at="output_cosine")
def outputs_alike(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Mean cosine between the outputs of two samples, where the gradient stands at right angles to
    each output. Silent where the loss compares the outputs with targets: at right angles to outputs
    that are all one number is each cross-entropy's gradient.
    """
    values = figures["output_cosine"].astype(np.float64)
    values[figures["loss_kind"] > 0] = np.nan
    drawn = _are_drawn(values, figures.steps, thresholds.patience, memory)
    values[memory.loss_curve.of(figures).known < thresholds.patience] = np.nan
    alike = values > _ALIKE
    return Symptoms.of_run(
        "output",
        values,
        np.where(alike | drawn, 2, 0),
        Advice(
            "the outputs of all samples point the same way (mean cosine {value:.4f}, limit "
            "{threshold:g}): a loss of cosines is small then, though the outputs say nothing of "
            "their inputs",
            _REMEDY,
        ),
        Advice(
            "the outputs of all samples have come to point the same way (mean cosine {value:.3f}, "
            "limit {threshold:g}), which they did not at the start: a loss of cosines is small "
            "then, though the outputs say nothing of their inputs",
            _REMEDY,
            (np.nan, _DRAWN, np.nan),
        ),
        limits=(np.nan, _ALIKE, np.nan),
        source="Chen and He 2021, Exploring Simple Siamese Representation Learning: collapsing",
        lasting=LOOKS,
        cause=np.where(alike, 0, 1),
    )


def _are_drawn(values: Values, steps: Steps, patience: int, memory: Memory) -> Flags:
    """Whether outputs that were apart have been near each other for as many steps, [steps]."""
    remembered = memory.of_run("drawn", 2)  # the first cosine; since which step they are near
    drawn = np.zeros(len(values), bool)
    for row in np.flatnonzero(~np.isnan(values)).tolist():
        remembered[0] = values[row] if np.isnan(remembered[0]) else remembered[0]
        near = values[row] > max(_DRAWN, remembered[0] + _RISEN)
        since = steps[row] if np.isnan(remembered[1]) else remembered[1]
        remembered[1] = since if near else np.nan
        drawn[row] = near and steps[row] - since >= patience
    return drawn
