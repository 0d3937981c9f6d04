"""Whether a recurrent cell gets its own last state cut off from the graph, step after step."""

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
