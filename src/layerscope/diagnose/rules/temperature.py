"""Logits that are divided by a large number, cannot be large by their making, or have a minus."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Values
from layerscope.diagnose.questions.in_each_look import LOOKS

_HIGH = 10.0
_FLOOR, _HIGH_FLOOR = 0.5, 0.75
"""Of what guessing costs."""

_SAME = 1e-3
"""How far a scale that is not learned may vary, over its size: it is found by a fit."""

_TURNED, _TURNED_PRODUCTS = 5, 6
"""Of the figure `activated_twice`."""

_STEPS = 20
"""In which a scale that is learned would have moved."""


@rule_of_run("temperature", looks_at=("temperature", "logit_scale", "activated_twice"))
def temperature(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """What a cross-entropy of class numbers divides the outputs by, read off its gradient on them;
    or the fixed number that logits are cosines times; or -1 where these, or products of embeddings,
    are taken with a minus.
    """
    high = figures["temperature"] > _HIGH
    floor = _floor(figures, memory)
    severity = np.where(floor > _HIGH_FLOOR, 2, np.where(floor > _FLOOR, 1, 0))
    of_cosines = (figures["activated_twice"] == _TURNED) & (figures["output_cosines"] == 1)
    turned = of_cosines | (figures["activated_twice"] == _TURNED_PRODUCTS)
    values = np.where(high | np.isnan(floor), figures["temperature"], floor)
    return Symptoms.of_run(
        "loss",
        np.where(turned, -1, values).astype(np.float64),
        np.where(high | turned, 2, severity),
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
        Advice(
            "the cosines, or products of embeddings, that the loss takes for logits have a minus "
            "before them: each sample learns to be least like its own partner",
            "the products as they are, with no minus, and no 1 - before them; a minus belongs "
            "before distances",
            (np.nan, 0.0, np.nan),
        ),
        limits=(np.nan, _HIGH, np.nan),
        source="Hinton et al. 2015, Distilling the Knowledge, section 2: labels at a temperature "
        "of 1; Wang et al. 2017, NormFace, proposition 2: the least loss of a scale",
        lasting=LOOKS,
        cause=np.select((turned, high), (2, 0), 1),
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
