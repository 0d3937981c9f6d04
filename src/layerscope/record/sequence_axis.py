"""Whether recurrent layers and attention run along the samples of the batch, by their shapes."""

from torch import Tensor, nn

from layerscope.record.outputs import tensors_in


class SequenceAxis:
    """Told in the first step only. A module with `batch_first=False` takes the first axis for time.
    Where the network gives a row for each place along it, and the second axis has another length,
    that first axis is the batch. Not judged where the second is 1: one sequence may have a row for
    each of its places.

    Attributes:
        is_batch: whether it is so in some module.
    """

    def __init__(self) -> None:
        self.is_batch = False
        self._shapes: set[tuple[int, int]] = set()

    def note(self, module: nn.Module, output: object) -> None:
        """A module of the network has given an output."""
        if getattr(module, "batch_first", None) is False:
            shapes = (each.shape for _, each in tensors_in(output) if each.ndim == 3)
            self._shapes.update((shape[0], shape[1]) for shape in shapes)

    def compare(self, output: Tensor) -> None:
        """The network has given its output."""
        rows = len(output) if output.ndim in (1, 2) else -1
        self.is_batch |= any(time == rows != other > 1 for time, other in self._shapes)
        self._shapes.clear()
