"""A softmax over nothing: over one unit, or over the samples of a batch."""

from __future__ import annotations

import numpy as np

from layerscope.diagnose.figures import Figures
from layerscope.diagnose.loss_kind import Loss
from layerscope.diagnose.memory import Memory
from layerscope.diagnose.registry import rule_of_run
from layerscope.diagnose.symptoms import Advice, Symptoms
from layerscope.diagnose.thresholds import Thresholds

_ERRORS = (Loss.SQUARED_ERROR, Loss.ABSOLUTE_ERROR)


@rule_of_run("softmax_of_one")
def softmax_of_one(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """An output of one unit that is exactly 1 for every sample: a softmax of one number is 1.

    What to put in its place goes by the loss: for an error nothing, else a sigmoid.
    """
    if np.isnan(figures["outputs"]).all():  # nobody looked
        return Symptoms.of_run("output", figures["outputs"])
    one = (figures["output_min"] == 1) & (figures["output_max"] == 1) & (figures["outputs"] == 1)
    values = np.where(np.isnan(figures["outputs"]), np.nan, one.astype(np.float64))
    return Symptoms.of_run(
        "output",
        values,
        np.where(one, 3, 0).astype(np.int8),
        Advice(
            "the output is 1 for every sample: a softmax over one unit is always 1, and passes no "
            "gradient on",
            "a sigmoid in its place (and binary_cross_entropy), or two units and cross_entropy "
            "without the softmax; for a regression no function at all",
        ),
        Advice(
            "the output is 1 for every sample: a softmax over one unit is always 1, and passes no "
            "gradient on",
            "no function in its place: the loss is an error, as of a regression",
        ),
        limits=(np.nan, np.nan, 0.0),
        source="softmax(z) = exp(z) / exp(z)",
        lasting=2,
        cause=np.isin(figures["loss_kind"], _ERRORS).astype(np.int8),
    )


@rule_of_run("softmax_over_batch")
def softmax_over_batch(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Outputs between 0 and 1 that sum to 1 over the samples of the batch, not over the classes; or
    the logarithms of such, by the axis that autograd has kept of the last function.

    Blind to a softmax further inside: in attention over sequences that come first, [T, B, C], the
    first axis is the right one.
    """
    if np.isnan(figures["outputs"]).all():  # nobody looked
        return Symptoms.of_run("output", figures["outputs"])
    over = (figures["output_columns_one"] == 1) & (figures["output_rows_one"] != 1)
    over |= figures["softmax_over_samples"] == 1
    values = np.where(np.isnan(figures["output_columns_one"]), np.nan, over.astype(np.float64))
    return Symptoms.of_run(
        "output",
        values,
        np.where(over, 3, 0).astype(np.int8),
        Advice(
            "the outputs sum to 1 over the samples of the batch, not over the classes: the softmax "
            "is taken along the wrong axis",
            "softmax(dim=-1), or dim=1 for [samples, classes]",
        ),
        limits=(np.nan, np.nan, 0.0),
        source="torch.nn.Softmax, argument dim",
        lasting=2,
    )
