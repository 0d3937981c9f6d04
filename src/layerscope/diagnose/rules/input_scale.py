"""Inputs that are far larger or smaller than 1, or of which a feature or a value drowns others."""

import numpy as np

from layerscope.diagnose import Case, Figures, Memory, Symptoms, Thresholds, rule_of_run
from layerscope.diagnose.measured.figures import Flags, Values

_SOURCE = "LeCun et al. 1998, Efficient BackProp, section 4.3: inputs of mean 0 and variance 1"
_MEAN_AND_DEVIATION = 2
"""Of `input_rows_one`: this or more; rows of one length are usual for vectors of words."""

_CHANCE = 0.03
"""How far a share of zeros may be from the probability of a dropout."""

_FAR = 5.0
"""Times the range of all other values: logarithms of sums, and 0 where there is none, have two."""

_REMEDY = (
    "scale the inputs: subtract each feature's mean and divide by its standard deviation over the "
    "training data; or a normalisation as the first layer"
)


@rule_of_run("input_scale", looks_at="input_rms")
def input_scale(figures: Figures, thresholds: Thresholds, memory: Memory) -> Symptoms:
    """Root mean square of the data that the first layers get; exact zeros are left out, as in one-
    hot vectors.
    """
    t = thresholds
    values = figures["input_rms"].astype(np.float64)
    values[figures["inputs_normalized"] == 1] = np.nan
    dropped = figures["dropout"].astype(np.float64)  # what a dropout keeps it divides by 1 - p
    behind = (dropped > 0) & (np.abs(figures["input_zeros"] - dropped) < _CHANCE)
    values[behind] *= (1 - dropped)[behind]
    ratio = figures["input_feature_ratio"]
    large, small = values > t.input_large, figures["input_largest"] < t.input_small
    small &= values < t.input_small
    nothing = (figures["input_largest"] == 0) & (not memory.roles.embeddings)
    small &= figures["input_largest"] > 0
    if memory.roles.normalized_first:
        large = np.zeros(len(values), bool)
        # Of a layer normalisation a bias, or positions that are added, may be all that it gets.
        small &= figures["unit_spread"][:, memory.roles.last] < t.collapsed_spread
    uneven = ~(large | small | nothing) & (ratio > t.input_uneven) & ~np.isnan(values)
    alike = ~(large | small | uneven | nothing) & (
        figures["input_feature_spread"] < t.collapsed_spread
    )
    alike &= ~np.isnan(values)
    by_batch = (figures["input_by_batch"] > 0) & ~(large | small | nothing)
    # It makes inputs large, and columns uneven: scaled, it leaves next to nothing of the others.
    far = figures["input_far"].astype(np.float64)
    unknown = far > 1
    by_row = uneven & (figures["input_rows_one"] == 1)
    certain = large | small | nothing | by_row | by_batch
    evaluated = figures["evaluated_scale"].astype(np.float64)
    elsewhere = ~np.isnan(evaluated) & (evaluated != 1)
    ill = certain | uneven | alike | unknown | elsewhere
    rows_alike = ~ill & (figures["input_rows_one"] >= _MEAN_AND_DEVIATION)
    rows_alike &= _are_of_rows(figures, memory)
    if not (ill | rows_alike).any():
        return Symptoms.of_run("inputs", values)
    by_value = (far > _FAR) | (unknown & ~certain)
    one_large = large & (ratio > t.input_uneven) & _are_of_rows(figures, memory)
    return Symptoms.of_cases(
        "inputs",
        values,
        Case(
            elsewhere,
            "in evaluation mode the inputs are spread {value:.3g} times as widely as in training: "
            "what scales them is done in the one and not in the other",
            "the same scaling at both ends, by the same numbers, those of the training data: "
            "Normalize(mean, std), a division by 255, scaler.transform",
            1.0,
            value=evaluated,
        ),
        _of_a_value(by_value, far, figures, memory),
        _of_one_feature(one_large, t, figures, memory),
        Case(
            large,
            "the inputs have a root mean square of {value:.3g} (limit {threshold:g}): the first "
            "layer learns at another pace than the rest",
            _REMEDY + "; where they number kinds of things, as letters or shops, nn.Embedding or "
            "one_hot of the numbers in place of that",
            t.input_large,
        ),
        Case(
            small,
            "the inputs have a root mean square of {value:.2g} (limit {threshold:g}): hardly "
            "anything of them reaches the first layer's outputs",
            _REMEDY + "; see that they are not scaled twice",
            t.input_small,
        ),
        Case(
            by_batch,
            "each batch was scaled by its own numbers: every column has the same ends, or the "
            "same mean and deviation, in all batches, so the same sample looks different in each "
            "of them",
            "scale by numbers of the training data, taken once (scaler.fit before training, "
            "transform for each batch, and for later data); or BatchNorm, which keeps them",
            0.0,
            value=1.0,
        ),
        Case(
            by_row,
            "each sample was divided by its own length, and one feature is {value:.3g} times as "
            "large as the median one: that feature is now nearly the same in all samples, and "
            "next to nothing is left of the others",
            "scale each feature by its own numbers, over the training data: axis 0, as "
            "sklearn's StandardScaler does, not each sample (Normalizer, keras.utils.normalize)",
            t.input_uneven,
            value=ratio,
        ),
        Case(
            uneven,
            "one feature of the inputs is {value:.3g} times as large as the median one (limit "
            "{threshold:g}), and drowns the others",
            _REMEDY,
            t.input_uneven,
            value=ratio,
            severity=1,
        ),
        Case(
            nothing,
            "all inputs are exactly 0: there is nothing to learn from",
            "look at a batch of inputs: an array that was never filled, whole numbers that were "
            "divided and rounded down, a mask that hides all",
            0.0,
        ),
        Case(
            rows_alike,
            "each sample has been scaled by its own numbers, mean and deviation or ends: these are "
            "the same in all samples, and what they said of a sample is gone",
            "scale each feature by its own numbers, over the training data: axis 0, as "
            "sklearn's StandardScaler does of [samples, features]; change nothing if only the "
            "shape of a sample counts",
            0.0,
            value=1.0,
            severity=1,
        ),
        Case(
            alike & (figures["input_feature_spread"] == 0),
            "most features of the inputs are the same in all samples, to the last bit: there is "
            "next to nothing to learn from",
            "look at a batch of inputs: a data set that always gives the same sample, an array "
            "that was filled with one number, a mask or a clamp that makes all alike",
            t.collapsed_spread,
            value=figures["input_feature_spread"],
            severity=1,
        ),
        Case(
            alike,
            "most features of the inputs vary between samples by {value:.2g} of their size or less "
            "(limit {threshold:g}): the samples look all the same",
            _REMEDY + "; each feature by its own mean, not all by one",
            t.collapsed_spread,
            value=figures["input_feature_spread"],
            severity=1,
        ),
        source=_SOURCE,
        lasting=3,
    )


def _of_a_value(so: Flags, far: Values, figures: Figures, memory: Memory) -> Case:
    """A value that stands for something else, as last known."""
    column = memory.known("column", figures["input_far_column"])[-1]
    value = memory.known("value", figures["input_far_value"])[-1]
    return Case(
        so,
        f"in column {column:.0f} of the inputs (the first is 0) several samples have exactly "
        f"{value:.4g}, which is {{value:.3g}} times as far from all other values as the largest of "
        "these is from the smallest (limit {threshold:g}): it seems to stand for what is not "
        "known, as -999 does, and once the column is scaled with it the others hardly differ",
        "find these before columns are scaled: put the column's median in their place "
        "(SimpleImputer of sklearn, fillna of pandas), and give a further column of 0 and 1 that "
        "says where; change nothing if the value is one that the column may have",
        (1.0, _FAR, np.nan),
        value=far,
        severity=np.where(far > _FAR, 2, 1),
    )


def _of_one_feature(so: Flags, t: Thresholds, figures: Figures, memory: Memory) -> Case:
    """One feature that makes the inputs large, as known when it last was `so`."""
    known = np.where(so, figures["input_feature_at"], np.nan)
    place = memory.known("place", known)[-1]
    times = memory.known("times", np.where(so, figures["input_feature_ratio"], np.nan))[-1]
    return Case(
        so,
        "the inputs have a root mean square of {value:.3g} (limit {threshold:g}), which is that of "
        f"column {place:.0f} (the first is 0): it is {times:.3g} times as large as the median one, "
        "and drowns the others",
        "scale that column, and best all of them: subtract its mean and divide by its standard "
        "deviation over the training data; nn.Embedding or one_hot if it numbers kinds of things; "
        "or a normalisation as the first layer",
        t.input_large,
    )


def _are_of_rows(figures: Figures, memory: Memory) -> Flags:
    """Whether the first layer gives one row for each sample, [steps]: pictures and sounds, which
    have many places, may each have their own scale.
    """
    if not len(memory.roles.chain):
        return np.zeros(len(figures.steps), bool)
    first = memory.roles.chain[0]
    rows = figures.values_of_units(first)
    return rows == figures["samples"]
