"""What was seen of a network's data and output in one step."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from layerscope.measure.pending import Pending
from layerscope.record.ends.further_outputs import FurtherOutput
from layerscope.record.graph.class_rows import is_of_one_class
from layerscope.record.graph.loss_form import LossForm
from layerscope.record.graph.output_function import OutputFunction


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What a first layer got in a step.

    Args:
        pending: float [samples, features], some of the samples.
        normalized: whether the layer is a normalisation.
        given: of one that may be written by hand (no function, no matrix), what it gave, likewise.
        rows: how many rows the first axis has: samples, in most networks.
        blank: see `blank_share`; None where it was not looked for.
        is_kept: whether it is the very tensor that came at the look before, or a view of that.
        is_part: whether the layer got others in the step too, as a cell gets a sequence's places,
            or beside these, as an embedding that is joined with them.
        summed: see `summed_samples`; None where it was not asked for.
        marks: see `sample_marks`; None where it was not asked for.
    """

    pending: Pending[Tensor]
    normalized: bool
    given: Pending[Tensor] | None = None
    rows: int = 0
    blank: Pending[Tensor] | None = None
    is_kept: bool = False
    is_part: bool = False
    summed: Pending[Tensor] | None = None
    marks: Pending[Tensor] | None = None

    @property
    def values(self) -> Tensor:
        """[samples, features]; may wait for the device."""
        return self.pending.get()


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """The network's output in a step. What is pending may have to be waited for.

    Args:
        pending: `values`.
        slope: `gradient`; None if none came.
        samples: how many there are in all.
        function: that it has been through last.
        alone: whether the network gave no other tensor that the loss may be made of, in this call
            or in another before the same backward pass.
        square: sum of the squares of the gradient of all samples; None if none came.
        has_terms: whether the network gave scalars beside it that the loss may be made of.
        every: how far apart the samples are that were kept.
        given: what the network was called with in the same shape, as `pending`; None without any.
        by_sample: whether each row is a sample of its own, not a place in a sequence or picture.
        figures: by names of `STEP_FIGURES`, what the gradient on it shows as a whole.
        axis: along which axis of the tensor, from the first, its classes are taken to lie.
        otherwise: the same with its classes along the other axis that may have them; None without
            such an axis.
    """

    pending: Pending[Tensor]
    slope: Pending[Tensor] | None
    samples: int
    function: OutputFunction
    alone: bool = True
    square: Pending[float] | None = None
    has_terms: bool = False
    every: int = 1
    figures: Mapping[str, Pending[bool]] = field(default_factory=dict)
    by_sample: bool = True
    given: Pending[Tensor] | None = None
    axis: int | None = None
    otherwise: "Output | None" = None

    def along_classes(self) -> "Output":
        """Itself, or the same along the other axis, if the loss's gradient is that of one class in
        each row there, and not here. Waits for the device.
        """
        other, here = self.otherwise, self.gradient
        there = None if other is None else other.gradient
        if other is None or here is None or there is None or is_of_one_class(here.numpy()):
            return self
        return other if is_of_one_class(there.numpy()) else self

    @property
    def values(self) -> Tensor:
        """[samples, outputs], some of the samples; classes along the last axis."""
        return self.pending.get()

    @property
    def gradient(self) -> Tensor | None:
        """D loss / d values, with a gradient scaler's factor in it; None if none came."""
        return None if self.slope is None else self.slope.get()

    @property
    def gradient_square(self) -> float:
        """The sum of the squares of the gradient of all samples; NaN if none came."""
        return math.nan if self.square is None else self.square.get()


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """What was seen in one step; of several micro-batches in the first or the last, look by look.

    Args:
        data: of each first layer.
        output: the last output that a gradient came to, in that backward pass; None without any.
        given: what embeddings got, as matrices of whole numbers, in the order of their calls.
        numbers: the first of what each large embedding got, [n], with its number among them.
        given_is_kept: whether any of it is the very tensor that came at the look before.
        pair: of two further outputs of one shape [samples, width], the first's values and gradient,
            then the second's: mean and variance of what an autoencoder draws, say.
        loss: of several backward passes' losses that of the one that `output` is of, where the loop
            has told each; else None.
        form: of the loss, as its graph tells; None where the loop has told none with a graph.
        softmax_within: see `SoftmaxWithin.over_samples`.
        towers: the two outputs of a contrastive loss: the first's values and gradient, then the
            other's.
        further: outputs beside it that a gradient came to.
        figures: by names of `STEP_FIGURES`, what is a figure as it was seen.
        evaluated: what first layers got in evaluation mode since the last look, as `Data.values`.
    """

    data: tuple[Data, ...] = ()
    output: Output | None = None
    given: tuple[Pending[Tensor], ...] = ()
    numbers: tuple[tuple[int, Pending[Tensor]], ...] = ()
    given_is_kept: bool = False
    pair: tuple[Pending[Tensor], ...] = ()
    loss: Pending[Tensor] | None = None
    form: LossForm | None = None
    softmax_within: bool = False
    towers: tuple[Pending[Tensor], ...] = ()
    further: tuple[FurtherOutput, ...] = ()
    figures: Mapping[str, float | Pending[Any]] = field(default_factory=dict)
    evaluated: tuple[Pending[Tensor], ...] = ()

    @property
    def of_actions(self) -> bool:
        """Whether what the loss takes for targets are actions that were drawn, and no labels."""
        return self.form is not None and self.form.of_rewards

    @property
    def tokens(self) -> tuple[Tensor, ...]:
        """What embeddings got that is not the same everywhere, each once; may wait for them."""
        seen: list[Tensor] = []
        for tokens in (each.get() for each in self.given):
            if tokens.min() < tokens.max() and not any(tokens.equal(each) for each in seen):
                seen.append(tokens)
        return tuple(seen)


_NORMS = ("RMSNorm", "LayerNorm", "GroupNorm", "BatchNorm", "InstanceNorm")
"""Ends of class names, with a 2d after them or not: libraries write their own."""


def normalizes(module: nn.Module) -> bool:
    """Whether it is a normalisation: one of torch's, or by its class's name."""
    batch_or_instance = nn.modules.batchnorm._NormBase
    others = (nn.GroupNorm, nn.LayerNorm, nn.LocalResponseNorm, nn.RMSNorm)
    name = type(module).__name__.removesuffix("d").rstrip("123")
    return isinstance(module, (batch_or_instance, *others)) or name.endswith(_NORMS)


def normalizes_by_batch(module: nn.Module) -> bool:
    """Whether it is one of torch's batch normalisations that looks at its own batch alone."""
    is_of_batch = isinstance(module, nn.modules.batchnorm._BatchNorm)
    return is_of_batch and not isinstance(module, nn.SyncBatchNorm)


def normalized_together(module: nn.Module) -> int:
    """Of torch's layer normalisation and root mean square, how many numbers of a sample it takes
    its statistics of; 0 of any other module.
    """
    if isinstance(module, (nn.LayerNorm, nn.RMSNorm)):
        return math.prod(int(size) for size in module.normalized_shape)
    return 0
