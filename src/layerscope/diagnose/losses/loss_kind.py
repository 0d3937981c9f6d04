"""The kinds of loss that can be told, and what is told of one."""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


class Loss(IntEnum):
    """Kinds of loss that can be told; UNKNOWN is any other."""

    UNKNOWN = 0
    CROSS_ENTROPY = 1  # of logits, one of several classes
    LOG_LIKELIHOOD = 2  # the output itself at the target's place: it should be a log-probability
    LOG_OF_OUTPUT = 3  # the logarithm of the output at the target's place
    BINARY_LOGITS = 4  # sigmoid and binary cross-entropy in one
    BINARY = 5  # binary cross-entropy of probabilities
    SQUARED_ERROR = 6
    ABSOLUTE_ERROR = 7
    SEVERAL_CLASSES = 8  # CROSS_ENTROPY, with more than one target of 1 in a sample
    HINGE_OF_BITS = 9  # a hinge loss of labels 0 and 1, where it takes -1 and 1
    LOG_OF_SHARE = 10  # the logarithm of that output over the sum of all of its sample
    OVERLAP_OF_SCORES = 11  # a Dice or Jaccard overlap, of outputs that are no probabilities
    ALIGNMENT_OF_SCORES = 12  # CTC, of outputs that are no logarithms of probabilities
    PERCENTAGE_ERROR = 13  # an absolute error, each divided by its target


OF_CLASSES = (Loss.CROSS_ENTROPY, Loss.LOG_LIKELIHOOD, Loss.LOG_OF_OUTPUT, Loss.LOG_OF_SHARE)
"""Of one class of several, whose number is the target."""

OF_BITS = (Loss.BINARY_LOGITS, Loss.BINARY)
"""Of an output by itself, whose target is 0 or 1, or a share."""

ERRORS = (Loss.SQUARED_ERROR, Loss.ABSOLUTE_ERROR)
"""Of a number, which is told with its targets."""


@dataclass(frozen=True, slots=True)
class LossView:
    """What the gradient on the output tells of the loss in one step.

    Attributes:
        reduction: 1 where the loss is a mean over the samples (for errors: over the elements), n
            where it is a sum over n of them; NaN if unknown.
        targets: what the loss compares with: class numbers for CROSS_ENTROPY, LOG_LIKELIHOOD,
            LOG_OF_OUTPUT and LOG_OF_SHARE, else values [samples, outputs]; None if unknown.
        broadcast: whether each output was compared with the targets of all samples; `targets` are
            then two with the mean and the spread of all, where these are known.
        smoothing: share of each target that is spread over all classes.
        negated: whether it is minus such a loss: its minimum is where that one has no end.
        activated: whether the training loop has put the output through a softmax or sigmoid before.
        weights: the factor of each sample, [samples], where they may differ, and of each output of
            a binary loss, [samples, outputs]; NaN where unknown.
        temperature: what a CROSS_ENTROPY divides the outputs by before its softmax.
    """

    kind: Loss
    reduction: float = math.nan
    targets: Matrix | None = None
    broadcast: bool = False
    smoothing: float = 0.0
    negated: bool = False
    activated: bool = False
    weights: Matrix | None = None
    temperature: float = 1.0
