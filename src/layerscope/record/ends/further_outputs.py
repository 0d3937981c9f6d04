"""What a network gives beside its first output: other heads, a mean and a variance, towers."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

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


_ALL = slice(None)
_ELEMENTS = 65_536
_MATRIX = 2


class OutputPair:
    """Keeps the values of two such outputs of a step, and the gradients on them."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Pending[Tensor], Pending[Tensor]]] = {}

    def watch(self, outputs: Sequence[Tensor]) -> list[RemovableHandle]:
        """Put hooks on the first two matrices of one shape that follow each other; without any, on
        the first two that have more axes, as codes of each place have.
        """
        for pair in sorted(pairwise(outputs), key=lambda pair: pair[0].ndim != _MATRIX):
            one, other = pair
            alike = one.ndim >= _MATRIX and one.shape == other.shape and one is not other
            if alike and one.numel() <= _ELEMENTS and all(map(has_memory, pair)):
                return [self._hook(place, each) for place, each in enumerate(pair)]
        return []

    def _hook(self, place: int, output: Tensor) -> RemovableHandle:
        values = samples_of(output, _ALL)

        def see(gradient: Tensor) -> None:
            self._kept[place] = values, samples_of(gradient, _ALL)

        return output.register_hook(QuietHook(see))  # type: ignore[no-untyped-call]

    def take(self) -> tuple[Pending[Tensor], ...]:
        """Values and gradient of the one, then of the other; () unless both had a gradient."""
        kept, self._kept = self._kept, {}
        return (*kept[0], *kept[1]) if len(kept) == 2 else ()


_SAMPLES = 512
"""Of larger outputs all products of two samples take long."""


class Towers:
    """Keeps the values of a step's two outputs, and the gradients on them.

    Attributes:
        asked: whether to look: the loss of an earlier look was a contrastive one.
    """

    def __init__(self) -> None:
        self.asked = False
        self._values: list[Pending[Tensor]] = []
        self._slopes: dict[int, Pending[Tensor]] = {}

    def watch(self, outputs: Sequence[Tensor]) -> list[RemovableHandle]:
        """Put hooks on the outputs of a call."""
        return [self._hook(each) for each in outputs] if self.asked else []

    def _hook(self, output: Tensor) -> RemovableHandle:
        place = len(self._values)
        is_small = output.ndim == 2 and output.numel() <= _ELEMENTS and len(output) <= _SAMPLES
        is_small = is_small and has_memory(output)
        self._values.append(samples_of(output if is_small else output.flatten()[:1], _ALL))

        def see(gradient: Tensor) -> None:
            if is_small:
                self._slopes[place] = samples_of(gradient, _ALL)

        return output.register_hook(QuietHook(see))  # type: ignore[no-untyped-call]

    def take(self) -> tuple[Pending[Tensor], ...]:
        """Values and gradient of the one, then of the other; () unless there were two, and both had
        a gradient.
        """
        (values, self._values), (slopes, self._slopes) = (self._values, []), (self._slopes, {})
        if len(values) != 2 or len(slopes) != 2:
            return ()
        return values[0], slopes[0], values[1], slopes[1]
