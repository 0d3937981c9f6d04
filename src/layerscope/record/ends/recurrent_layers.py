"""Recurrent layers, and attention: whether states are cut off, and along which axis they run."""

from torch import Tensor, nn

from layerscope.record.outputs import tensors_in
from layerscope.record.samples import has_memory

_ENOUGH = 3
"""States that were handed on."""


class DetachedStates:
    """Told in the first step only. A cell of torch's, or a recurrent layer with sequences of one
    step, is called once for each step of a sequence, with the state that it gave in the call
    before. What `detach()` makes of that lies in the same memory and has no gradient.
    """

    def __init__(self) -> None:
        self._given: dict[nn.Module, list[Tensor]] = {}  # kept: their memory is nobody else's
        self._detached = self._handed_on = 0

    @property
    def are_detached(self) -> bool:
        """Whether each state was detached before its next step."""
        return self._detached >= _ENOUGH and not self._handed_on

    def note(self, module: nn.Module, inputs: object, output: object) -> None:
        """A module of the network has given an output."""
        if not isinstance(module, nn.RNNCellBase | nn.RNNBase):
            return
        tensors, given = ([each for _, each in tensors_in(of)] for of in (inputs, output))
        if not tensors:  # given by keyword, which the hook is not told
            return
        if isinstance(module, nn.RNNBase) and not _is_of_one_step(module, tensors[0]):
            return
        addresses = {each.data_ptr() for each in self._given.get(module, ())}
        for state in tensors[1:]:
            if has_memory(state) and state.data_ptr() in addresses:
                self._handed_on += state.requires_grad
                self._detached += not state.requires_grad
        is_trained = any(each.requires_grad for each in module.parameters())
        self._given[module] = [e for e in given if is_trained and e.requires_grad and has_memory(e)]

    def forget(self) -> None:
        """A backward pass has begun: what comes next may well begin anew."""
        self._given.clear()


def _is_of_one_step(layer: nn.RNNBase, sequences: Tensor) -> bool:
    time = 1 if layer.batch_first and sequences.ndim == 3 else 0
    return sequences.shape[time] == 1


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
