"""What else a network gives beside its first output: the losses of other heads."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.utils.hooks import RemovableHandle

from layerscope.measure.pending import Pending
from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.samples import (
    evenly_spaced,
    has_memory,
    number_of_samples,
    samples_of,
    sum_of_squares,
)

_MOST = 4
"""Heads beside the first."""


@dataclass(frozen=True, slots=True, eq=False)
class FurtherOutput:
    """One of them in a step; what is pending may have to be waited for.

    Attributes:
        values, gradient: float64 [samples, outputs] of some samples, and the loss's on them.
        samples: how many there are in all.
        square: sum of the squares of the gradient of all samples.
    """

    values: Pending[Tensor]
    gradient: Pending[Tensor]
    samples: int
    square: Pending[float]


class FurtherOutputs:
    """Keeps some samples of them, and of the gradients on them, of the last backward pass."""

    def __init__(self) -> None:
        self._kept: dict[int, FurtherOutput] = {}

    def watch(self, outputs: Sequence[Tensor]) -> list[RemovableHandle]:
        """Put hooks on them."""
        several = enumerate(outputs[:_MOST])
        return [self._hook(place, each) for place, each in several if has_memory(each)]

    def _hook(self, place: int, output: Tensor) -> RemovableHandle:
        rows, samples, shape = evenly_spaced(output), number_of_samples(output), output.shape
        values = samples_of(output, rows)

        def see(gradient: Tensor) -> None:
            if has_memory(gradient) and gradient.shape == shape:
                of_all = samples_of(gradient, rows), samples, sum_of_squares(gradient)
                self._kept[place] = FurtherOutput(values, *of_all)

        return output.register_hook(QuietHook(see))  # type: ignore[no-untyped-call]

    def take(self) -> tuple[FurtherOutput, ...]:
        """Those that a gradient came to since the last call, in their order."""
        kept, self._kept = self._kept, {}
        return tuple(kept[place] for place in sorted(kept))
