"""Recurrent layers, and attention: whether states are cut off, and along which axis they run."""

from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
    default_collate,
)

from layerscope.live_objects import live_objects
from layerscope.record.outputs import tensors_in
from layerscope.record.samples import has_memory

_ENOUGH = 3
"""States that were handed on."""

_MATRIX = 2
_DRAWS = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)

DRAWN = 4
"""What `SequenceAxis.of_batch` is where a loader tells."""


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
    that first axis is the batch. With `batch_first=True` the second axis is time, and likewise; but
    not where the first is a multiple of the rows, for then each sample may have several sequences.

    Where the second axis is 1, or there is none, one sequence may have a row for each of its
    places, and where the output has more axes, they may be those of time. There a `DataLoader`
    tells, which draws as many samples at random and stacks them.

    Attributes:
        of_batch: which axis some module runs along though it is the batch, 1 for the first or 2 for
            the second; `DRAWN` if it has as many places as samples were drawn; 0 if none does.
    """

    def __init__(self) -> None:
        self.of_batch = 0
        self._shapes: set[tuple[int, int, int]] = set()  # time, the other, and which is time
        self._of_itself: set[tuple[int, int, int]] = set()  # those where each place meets others

    def note(self, module: nn.Module, inputs: object, output: object) -> None:
        """A module of the network has given an output."""
        batch_first = getattr(module, "batch_first", None)
        if not isinstance(batch_first, bool):
            return
        first = next((each for _, each in tensors_in(output)), None)  # states have other axes
        if first is None or first.ndim not in (_MATRIX, _MATRIX + 1):
            return
        one, other = (*first.shape[: first.ndim - 1], 1)[:2]
        by_second = batch_first and first.ndim > _MATRIX
        shape = (other, one, 2) if by_second else (one, other, 1)
        if first.ndim > _MATRIX:
            self._shapes.add(shape)
        given = [each.shape for _, each in tensors_in(inputs)][:2]
        recurs = isinstance(module, nn.RNNBase | nn.TransformerEncoderLayer)
        attends = isinstance(module, nn.MultiheadAttention) and given[1:] == given[:1] != []
        if recurs or attends:
            self._of_itself.add(shape)

    def compare(self, output: Tensor) -> None:
        """The network has given its output."""
        rows = len(output) if output.ndim else -1
        for time, other, axis in self._shapes if output.ndim <= _MATRIX else ():
            if time == rows != other > 1 and (axis == 1 or other % rows):
                self.of_batch = axis
        if not self.of_batch:
            self._ask_a_loader(rows, output.ndim)
        self._shapes.clear()
        self._of_itself.clear()

    def _ask_a_loader(self, rows: int, axes: int) -> None:
        for time, other, _ in self._of_itself:
            alone, of_places = other == 1, axes > _MATRIX and other % rows
            if time == rows > 1 and (alone or of_places) and _are_drawn(rows):
                self.of_batch = DRAWN
                return


def _are_drawn(rows: int) -> bool:
    """Whether a loader draws as many samples in random order and stacks them, the first axis."""
    (loaders,) = live_objects(DataLoader)
    return any(
        each.batch_size == rows
        and isinstance(each.sampler, _DRAWS)
        and each.collate_fn is default_collate
        for each in loaders
    )
