"""Logits that are divided by a large number before the loss, or cannot be large by their making."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Values
from layerscope.diagnose.questions.in_each_look import LOOKS

_HIGH = 10.0
_FLOOR, _HIGH_FLOOR = 0.5, 0.75
"""Of what guessing costs."""

_SAME = 1e-3
"""How far a scale that is not learned may vary, over its size: it is found by a fit."""

_STEPS = 20
"""In which a scale that is learned would have moved."""


@rule_of_run("temperature", looks_at=("temperature", "logit_scale"))
def temperature(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """What a cross-entropy of class numbers divides the outputs by, read off its gradient on them;
    or the fixed number that logits are cosines times.
    """
    high = figures["temperature"] > _HIGH
    floor = _floor(figures, memory)
    severity = np.where(floor > _HIGH_FLOOR, 2, np.where(floor > _FLOOR, 1, 0))
    return Symptoms.of_run(
        "loss",
        np.where(high | np.isnan(floor), figures["temperature"], floor).astype(np.float64),
        np.where(high, 2, severity),
        Advice(
            "the outputs are divided by {value:.3g} before the loss takes its softmax (limit "
            "{threshold:g}): so is their gradient, and outputs must become as many times larger "
            "before the network can be sure of anything",
            "the logits as they are: no temperature where targets are class numbers",
        ),
        Advice(
            "the logits are cosines times a small number that is not learned: whatever the network "
            "does, the loss cannot fall below {value:.0%} of what guessing costs",
            "cosines / 0.07, where they were multiplied by it; or a scale that is learned: logits "
            "= self.scale.exp() * cosines, with self.scale = nn.Parameter(torch.tensor(2.7))",
            (_FLOOR, _HIGH_FLOOR, np.nan),
        ),
        limits=(np.nan, _HIGH, np.nan),
        source="Hinton et al. 2015, Distilling the Knowledge, section 2: labels at a temperature "
        "of 1; Wang et al. 2017, NormFace, proposition 2: the least loss of a scale",
        lasting=LOOKS,
        cause=~high,
    )


def _floor(figures: Figures, memory: Memory) -> Values:
    """The least that a cross-entropy of scaled cosines can be / what guessing costs, [steps]; NaN
    in steps without a look, and while the scale may be one that is learned.
    """
    scale = figures["logit_scale"].astype(np.float64)
    first = memory.first("scale", scale)
    moved = memory.ever("moved", np.abs(scale - first) > _SAME * first)
    steps = memory.loss_curve.of(figures).known
    candidates = figures["candidates"].astype(np.float64)
    classes = np.where(np.isnan(candidates), figures["outputs"], candidates).astype(np.float64)
    floor = np.log1p((classes - 1) * np.exp(-2 * scale)) / np.log(classes)
    lasts = (steps >= _STEPS) & ~moved
    return np.where(lasts, floor, np.where(np.isnan(scale), np.nan, 0.0))
