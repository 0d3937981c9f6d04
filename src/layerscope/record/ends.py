"""What was seen of a network's data and output in one step."""

import math
from dataclasses import dataclass

from torch import Tensor, nn

from layerscope.record.output_function import OutputFunction


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What a first layer got in a step.

    Attributes:
        values: float [samples, features], some of the samples.
        normalized: whether the layer is a normalisation.
    """

    values: Tensor
    normalized: bool


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """The network's output in a step.

    Attributes:
        values: [samples, outputs], some of the samples; classes along the last axis.
        gradient: d loss / d values, with a gradient scaler's factor in it; None if none came.
        samples: how many there are in all.
        function: that it has been through last.
        alone: whether the network gave no other tensor that the loss may be made of, in this call
            or in another before the same backward pass.
        gradient_square: sum of the squares of the gradient of all samples; NaN if none came.
        has_terms: whether the network gave scalars beside it that the loss may be made of.
        every: how far apart the samples are that were kept.
        mixes_axes: whether the loss took its classes and positions for each other.
        bootstrapped: whether the gradient on it and on another output are those of a value and of
            a target made of the next one, see `Bootstrapped`.
    """

    values: Tensor
    gradient: Tensor | None
    samples: int
    function: OutputFunction
    alone: bool = True
    gradient_square: float = math.nan
    has_terms: bool = False
    every: int = 1
    mixes_axes: bool = False
    bootstrapped: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """What was seen in one step; of several micro-batches in the first or the last, look by look.

    Attributes:
        data: of each first layer.
        output: the last output that a gradient came to, in that backward pass; None without any.
        gradients_kept: whether the gradients of the step before were still there when backward
            began; None if it is not known.
        along_batch: whether a recurrent layer or attention takes the batch for the sequence.
        tokens: what embeddings got, as matrices of whole numbers.
        pair: of two further outputs of one shape [samples, width], the first's values and gradient,
            then the second's: mean and variance of what an autoencoder draws, say.
        gradients_cleared: whether those of a backward pass were cleared before an optimizer came;
            None if it is not known.
        gradients_late: whether something has changed those of the step before between the
            optimizer's step and the next one's beginning, and not to zero; likewise.
    """

    data: tuple[Data, ...]
    output: Output | None
    gradients_kept: bool | None
    along_batch: bool = False
    tokens: tuple[Tensor, ...] = ()
    pair: tuple[Tensor, ...] = ()
    gradients_cleared: bool | None = None
    gradients_late: bool | None = None


_NORMS = ("RMSNorm", "LayerNorm", "GroupNorm", "BatchNorm", "InstanceNorm")
"""Ends of class names, with a 2d after them or not: libraries write their own."""


def normalizes(module: nn.Module) -> bool:
    """Whether it is a normalisation: one of torch's, or by its class's name."""
    batch_or_instance = nn.modules.batchnorm._NormBase
    others = (nn.GroupNorm, nn.LayerNorm, nn.LocalResponseNorm, nn.RMSNorm)
    name = type(module).__name__.removesuffix("d").rstrip("123")
    return isinstance(module, (batch_or_instance, *others)) or name.endswith(_NORMS)
