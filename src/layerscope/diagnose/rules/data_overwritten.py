"""A data set that is written into by what makes batches of it."""

import numpy as np

from layerscope.diagnose import Advice, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.questions.in_each_look import LOOKS

_SCALED = 2
_REMEDY = (
    "work on a copy where a sample is read: x = self.x[i].clone(), or .copy() of an array, before "
    "x[...] = 0, x *= ..., x -= ... or x.mul_(...); what is to be done once, as to scale the data, "
    "before the training"
)


@rule_of_run("data_overwritten", looks_at="data_overwritten")
def data_overwritten(figures: Figures, _: Thresholds, memory: Memory) -> Symptoms:
    """1 where a data set's numbers become 0 from look to look, 2 where they change otherwise and
    stay like what they were, as the batches do that are made of them.
    """
    values = figures["data_overwritten"].astype(np.float64)
    return Symptoms.of_run_above(
        "inputs",
        values,
        Advice(
            "the data set itself gets emptier while it is trained on: numbers that it keeps become "
            "0, and the batches have more zeros than at the start. A mask is written into the "
            "data, and each epoch adds its own",
            _REMEDY,
        ),
        Advice(
            "the data set itself changes while it is trained on, and the size of the batches with "
            "it: what is done to a sample is written into the data, and done again in each epoch",
            _REMEDY,
        ),
        warning=0.0,
        source="what the data sets of the program's loaders keep, compared from look to look",
        lasting=LOOKS,
        cause=(values == _SCALED).astype("int8"),
    )
