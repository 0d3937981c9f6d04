"""A loss whose weights leave one class alone."""

import numpy as np

from layerscope.diagnose import Case, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.questions.in_each_look import LOOKS

_MOST = 0.9
"""Of the weight: balanced classes have a half each; ten times that of all others is no balance."""

_FEW, _MANY = 0.5, 0.75
"""Of the samples."""

_TIMES = 3.0

_TELLS = (
    "the loss gives {value:.1%} of its weight to one class (limit {threshold:.0%}): the network "
    "takes nearly all samples for it"
)


@rule_of_run("class_weights", looks_at=("weighted_share", "ignored_class"))
def class_weights(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Share of a loss's weight that one class has: its samples times their weight, read off the
    gradient on the output; or of the samples that get no gradient, where a class is left out.
    """
    values, samples = figures["weighted_share"].astype(np.float64), figures["weighted_samples"]
    taken = (values > _MOST) & (figures["weighted_called"] > _MOST)
    without, share = figures["ignored_class"], figures["ignored_share"]
    left_out = memory.ever("ignored", share > 0) & (share < _FEW)
    return Symptoms.of_cases(
        "loss",
        values,
        Case(
            (without >= 0) & left_out,  # class 0 may be it
            "some samples get no gradient from the loss, and none of the others is of class "
            "{value:.0f}: that class is left out, and will never be predicted",
            "an ignore_index that is not the number of a class (the default of -100 is not), and "
            "no class weight of 0",
            0.0,
            value=without,
        ),
        Case(
            taken & (samples > _MANY) & (figures["weighted_times"] > _TIMES),
            _TELLS + ", which is the most frequent one anyway",
            "class weights the other way round: in proportion to 1 / frequency; pos_weight is the "
            "number of negatives over that of positives",
        ),
        Case(
            taken & (samples < _FEW),
            _TELLS,
            "a smaller weight of that class: pos_weight is the number of negatives over that of "
            "positives, not their number; class weights are in proportion to 1 / frequency",
        ),
        limits=(np.nan, _MOST, np.nan),
        source="torch.nn.BCEWithLogitsLoss: pos_weight is negatives / positives",
        lasting=LOOKS,
    )
