"""Two outputs of one shape beside a network's first: mean and variance of what it draws, say."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor
from torch.utils.hooks import RemovableHandle

from layerscope.measure.pending import Pending
from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.samples import has_memory, samples_of

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
