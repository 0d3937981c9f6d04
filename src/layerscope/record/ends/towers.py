"""Two outputs that a contrastive loss compares, each sample of one with all of the other."""

from collections.abc import Sequence

from torch import Tensor
from torch.utils.hooks import RemovableHandle

from layerscope.measure.pending import Pending
from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.samples import has_memory, samples_of

_ALL = slice(None)
_ELEMENTS, _SAMPLES = 65_536, 512
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
