"""Logits that are divided by a large number before the loss."""

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_HIGH = 10.0
_LOOKS = 3


@rule_of_run("temperature", looks_at="temperature")
def temperature(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """What a cross-entropy of class numbers divides the outputs by, read off its gradient on them.

    The gradient is divided by it too, and outputs have to grow so many times as large before the
    network can be sure. Soft targets, as in distillation, have temperatures of up to 20 and are
    another loss; with class numbers it is 1. A small one makes the start too sure, which
    `overconfident_start` tells of.
    """
    return Symptoms.of_run_above(
        "loss",
        figures["temperature"],
        Advice(
            "the outputs are divided by {value:.3g} before the loss takes its softmax (limit "
            "{threshold:g}): so is their gradient, and they must grow as many times as large "
            "before the network can be sure of anything",
            "the logits as they are: no temperature where targets are class numbers",
        ),
        warning=_HIGH,
        source="Hinton et al. 2015, Distilling the Knowledge, section 2: labels at a temperature "
        "of 1",
        lasting=_LOOKS,
    )
