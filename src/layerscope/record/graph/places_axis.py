"""Whether places are counted along one axis, and attention runs along another."""

from typing import Any

import torch
from torch import Tensor, nn

from layerscope.record.graph_nodes import MOVES, inputs_of, kind_of, shape_of, through
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
    places are counted along the samples.

    Attributes:
        differ: whether it is so.
    """

    def __init__(self) -> None:
        self._counted: set[tuple[int, int]] = set()  # places, and along the other axis
        self._attended: set[tuple[int, int]] = set()
        self._codes: set[tuple[int, ...]] = set()  # shapes of what embeddings gave for 0, 1, 2, ...

    @property
    def differ(self) -> bool:
        """Whether attention runs along the axis that places are not counted along."""
        wrong = {(places, other) for other, places in self._counted}
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
