"""What the graph of the first step tells of axes: those of samples, places and channels."""

from typing import Any

import torch
from torch import Tensor, nn

from layerscope.record.graph_nodes import (
    MOVES,
    VIEWS,
    WHOLE,
    inputs_of,
    kind_of,
    shape_of,
    signed,
    through,
)
from layerscope.record.outputs import tensors_in
from layerscope.record.samples import has_memory

_FEATURES = 8
"""Of a module's output: what is added is compared in so many."""

_CLOSE = 1e-3
"""Relative: rounding, where large values were added."""


class PlacesAxis:
    """Told in the first step only. What is added to [samples, places, width] as an encoding of
    places differs along one of the first two axes alone: a parameter, an embedding of 0, 1, 2, ...,
    or what a module of one's own adds to its input. Where attention runs along as many places as
    the other axis has, and nowhere along as many as this one, it runs from sample to sample, or
    places are counted along the samples. As many samples as places tell nothing.
    """

    def __init__(self) -> None:
        self._counted: set[tuple[int, int]] = set()  # places, and along the other axis
        self._attended: set[tuple[int, int]] = set()
        self._codes: set[tuple[int, ...]] = set()  # shapes of what embeddings gave for 0, 1, 2, ...

    @property
    def differ(self) -> bool:
        """Whether attention runs along the axis that places are not counted along."""
        wrong = {(places, other) for other, places in self._counted if other != places}
        return bool(self._attended) and self._attended <= wrong

    def note(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """A module of the network has given an output."""
        first = next((each for _, each in tensors_in(output)), None)
        given = inputs[0] if isinstance(inputs, tuple) and inputs else None
        if first is None or not has_memory(first) or not isinstance(given, Tensor):
            return
        if isinstance(module, nn.Embedding):
            counts = torch.arange(given.numel(), device=given.device)
            if given.flatten().equal(counts.to(given.dtype)):
                self._codes.add(tuple(first.shape))
        elif isinstance(module, nn.MultiheadAttention) and first.ndim == 3:
            one, other = first.shape[:2]
            self._attended.add((other, one) if module.batch_first else (one, other))
        elif first.ndim == 3 and given.shape == first.shape and _is_ones_own(module, given):
            self._note_added(module, given.detach(), first.detach())

    def _note_added(self, module: nn.Module, given: Tensor, output: Tensor) -> None:
        drops = [each.p for each in module.modules() if isinstance(each, nn.Dropout)]
        kept = 1 - (max(drops, default=0.0) if module.training else 0.0)
        given, output = given[..., :_FEATURES], output[..., :_FEATURES]
        added = (output * kept - given).masked_fill(output == 0, torch.nan)
        size = added.nan_to_num().abs().amax()
        for axis in (0, 1):
            other = added.movedim(1 - axis, 0)
            spread = other.nan_to_num(-torch.inf).amax(0) - other.nan_to_num(torch.inf).amin(0)
            is_along = bool((spread <= _CLOSE * (size + given.abs().amax())).all() & (size > 0))
            if is_along and (added - added.nanmean((0, 1))).nan_to_num().abs().amax() > _CLOSE:
                self._counted.add((output.shape[axis], output.shape[1 - axis]))

    def see(self, node: Any) -> None:
        """A node of the graph of the network's output."""
        shape = shape_of(node)
        if kind_of(node) != "Add" or len(shape) != 3:
            return
        for each in inputs_of(node):
            own = self._shape_of_places(each)
            if own in (shape[1:], (1, *shape[1:])):
                self._counted.add((shape[1], shape[0]))
            elif own == (shape[0], 1, shape[2]):
                self._counted.add((shape[0], shape[1]))

    def _shape_of_places(self, node: Any) -> tuple[int, ...]:
        """Of a parameter or of such an embedding, moved as it may be; () of all else."""
        shape = tuple(node.variable.shape) if hasattr(node, "variable") else shape_of(node)
        node = through(node, MOVES)
        is_code = kind_of(node) == "Embedding" and shape_of(node) in self._codes
        return shape if is_code or hasattr(node, "variable") else ()


def _is_ones_own(module: nn.Module, given: Tensor) -> bool:
    return not type(module).__module__.startswith("torch.") and has_memory(given)


_PARAMETER, _PRODUCT = "AccumulateGrad", "Bmm"
"""The nodes of a parameter, and of products of activations."""


class SoftmaxWithin:
    """Told in the first step only, where a call gives a row for each sample: its output has one or
    two axes, and the first one is as long as that of all matrices that it gets. A softmax along a
    first axis of that length, which has other places beside it and none of them as many, runs
    along the samples.

    Not of parameters, nor of products of several queries with keys, [.., queries, keys], which are
    looked at for themselves.
    """

    def __init__(self) -> None:
        self.over_samples = False
        self._given = 0  # rows of what the call got; 0 where they differ
        self._rows: set[int] = set()

    def begin(self, inputs: object) -> None:
        """The network is called."""
        matrices = tensors_in(inputs, of_any_type=True)  # tokens, too
        shapes = [each.shape for _, each in matrices if each.ndim > 1]
        rows = {shape[0] for shape in shapes}
        many = len(rows) == 1 and not any(shape[0] in shape[1:] for shape in shapes)
        self._given = rows.pop() if many else 0

    def note_returned(self, output: object) -> None:
        """A call from outside has returned this."""
        first = next((each for _, each in tensors_in(output)), None)
        if first is not None and first.ndim in (1, 2) and len(first) == self._given > 1:
            self._rows.add(self._given)

    def see(self, node: Any) -> None:
        """A node of the graph of the network's output."""
        if not self._rows or kind_of(node) != "Softmax":
            return
        shape, axis = shape_of(node), signed(getattr(node, "_saved_dim", -1))
        if len(shape) < 2 or axis % len(shape) or shape[0] not in self._rows:
            return
        beside = shape[1:]
        if max(beside) < 2 or shape[0] in beside:
            return
        source = kind_of(through(inputs_of(node)[0], (*WHOLE, "Mul", "Div")))
        of_one_query = source == _PRODUCT and len(shape) == 2
        self.over_samples |= of_one_query or source not in (_PARAMETER, _PRODUCT)


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
