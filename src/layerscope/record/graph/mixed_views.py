"""Whether a `view` within the network has put samples where another axis was."""

from typing import Any

from torch import Tensor, nn

from layerscope.record.graph_nodes import VIEWS, kind_of, shape_of
from layerscope.record.outputs import tensors_in
from layerscope.record.samples import has_memory


class MixedViews:
    """Told in the first step only. A view leaves the memory as it is: where it gives the same axes
    in another order, [time, samples, features] of [samples, time, features], its rows are parts of
    several samples. So are those of [samples, layers * units] that are cut out of a recurrent
    layer's states, [layers, samples, units], out of some of them, or out of all its outputs.

    Only views that move the first axis count: within a sample one may well be cut anew. But where a
    convolution gets [samples, channels, places] that are a view of [samples, places, channels], of
    data, its channels are made of several places.

    Attributes:
        are_any: whether there is a view that moves the first axis.
        of_channels: whether there is one that a convolution gets.
    """

    def __init__(self) -> None:
        self.are_any = self.of_channels = False
        self._given: list[Tensor] = []  # to the network: their memory is nobody else's meanwhile
        self._states: set[tuple[int, ...]] = set()

    def begin(self, inputs: object) -> None:
        """The network is called."""
        self._given = [each for _, each in tensors_in(inputs) if has_memory(each)]

    def note(self, module: nn.Module, inputs: object, output: object) -> None:
        """A module of the network has given an output."""
        if isinstance(module, nn.RNNBase):
            states = (tuple(each.shape) for _, each in [*tensors_in(output)][1:])
            self._states.update(shape[1:] for shape in states if len(shape) == 3)
        for _, tensor in tensors_in(inputs):
            if not tensor.requires_grad and has_memory(tensor) and tensor.is_contiguous():
                same = (e for e in self._given if e.data_ptr() == tensor.data_ptr())
                before = [each for each in same if each.is_contiguous()]
                self.are_any |= any(_moves_first(each.shape, tensor.shape) for each in before)
                if isinstance(module, _CONVOLUTIONS):
                    before += [each._base for each in before if each._base is not None]
                    moved = (_moves_channels(each.shape, tensor.shape) for each in before)
                    self.of_channels |= any(moved)

    def see(self, node: Any) -> None:
        """A node of the graph of the network's output."""
        before = getattr(node, "_saved_self_sym_sizes", None)
        if before is not None and kind_of(node) in VIEWS:
            after, before = shape_of(node), tuple(before)
            self.are_any |= _moves_first(before, after) or self._cuts_states(before, after)

    def _cuts_states(self, before: tuple[int, ...], after: tuple[int, ...]) -> bool:
        if len(before) != 3 or before[0] == 1 or before[1:] not in self._states:
            return False
        layers, samples, units = before
        return after == (samples, layers * units) and layers != samples

    def end(self) -> None:
        """The step is over."""
        self._given.clear()


_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def _moves_channels(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether the last axis has come second, and both it and what it passed are of several."""
    if len(before) != len(after) or len(after) < 3 or before == after:
        return False
    places, channels = tuple(before[1:-1]), before[-1]
    same = tuple(after) == (before[0], channels, *places)
    return same and channels > 1 and max(places) > 1


def _moves_first(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether they are the same axes in another order, with another one first."""
    one, other = ([size for size in shape if size > 1] for shape in (before, after))
    return len(one) > 2 and sorted(one) == sorted(other) and one[0] != other[0]
