"""Whether recurrent layers and attention run along the samples of the batch, by their shapes."""

from torch import Tensor, nn

from layerscope.record.outputs import tensors_in


class SequenceAxis:
    """Told in the first step only. A module with `batch_first=False` takes the first axis for time.
    Where the network gives a row for each place along it, and the second axis has another length,
    that first axis is the batch. Not judged where the second is 1: one sequence may have a row for
    each of its places. With `batch_first=True` the second axis is time, and likewise; but not where
    the first is a multiple of the rows, for then each sample may have several sequences.

    Attributes:
        of_batch: which axis some module runs along though it is the batch, 1 for the first or 2 for
            the second; 0 if none does.
    """

    def __init__(self) -> None:
        self.of_batch = 0
        self._shapes: set[tuple[int, int, int]] = set()  # time, the other, and which is time

    def note(self, module: nn.Module, output: object) -> None:
        """A module of the network has given an output."""
        batch_first = getattr(module, "batch_first", None)
        if not isinstance(batch_first, bool):
            return
        first = next((each for _, each in tensors_in(output)), None)  # states have other axes
        if first is not None and first.ndim == 3:
            one, other = first.shape[:2]
            self._shapes.add((other, one, 2) if batch_first else (one, other, 1))

    def compare(self, output: Tensor) -> None:
        """The network has given its output."""
        rows = len(output) if output.ndim in (1, 2) else -1
        for time, other, axis in self._shapes:
            if time == rows != other > 1 and (axis == 1 or other % rows):
                self.of_batch = axis
        self._shapes.clear()
