"""What the first layers of a network get: its data."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.ends.ends import Data, normalizes
from layerscope.record.ends.origins import Origins
from layerscope.record.ends.sample_marks import sample_marks
from layerscope.record.graph_nodes import kind_of, signed
from layerscope.record.hook_state import HookState
from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.network.layers import Layer
from layerscope.record.outputs import tensors_in
from layerscope.record.samples import evenly_spaced, has_memory, samples_of

_CALLS = 4
"""So many of a layer's calls in a step are kept, the last ones in one place: a discriminator gets
real data in one, made ones in another.
"""


MANY = 256
"""Samples of a batch: of fewer nobody says that they are too many for one step."""

_EVALUATED = 8
"""Passes in evaluation mode that are looked at."""

_SUMMED = 8
"""Batches of fewer, of which it is asked whether they are the same samples."""


class NetworkData:
    """Keeps samples of what layers get that nothing with a gradient has made, in some calls.

    Args:
        state: of the hooks, which is told of the data.

    Attributes:
        first: the layers that were seen to get data. What these get in evaluation mode is kept as
            well, in the first passes, where hooks are on: a trainer's validation has none.
        summed: how many batches have been asked whether they are the same samples.
    """

    def __init__(self, state: HookState, ask: Callable[[], bool]) -> None:
        self._state = state
        self._ask = ask
        self.first: dict[Layer, None] = {}
        self._seen: dict[tuple[str, int], Data] = {}
        self._calls: Counter[str] = Counter()
        self._origins = Origins()
        self._inside: tuple[str, int] | None = None
        self.summed = 0
        self._evaluated: list[Pending[Tensor]] = []
        self._left = _EVALUATED
        self._joined: set[Layer] = set()

    def _see_evaluation(self, layer: Layer, inputs: Any) -> None:
        """Keep what a first layer gets in evaluation mode, in the first of such passes."""
        is_asked = layer in self.first and layer not in self._joined
        tensor = inputs[0] if inputs and is_asked else None
        if isinstance(tensor, Tensor) and has_memory(tensor) and not tensor.requires_grad:
            self._left -= 1
            self._evaluated.append(samples_of(tensor, evenly_spaced(tensor)))

    def take_evaluated(self) -> tuple[Pending[Tensor], ...]:
        """What was seen in evaluation mode since the last call."""
        seen, self._evaluated = tuple(self._evaluated), []
        return seen

    def hook(self, layer: Layer) -> list[RemovableHandle]:
        """Look at what a layer gets, before it can change that in place."""

        def see(_: nn.Module, inputs: Any, named: Any) -> None:
            state = self._state
            if self._left and not (state.network is None or state.network.training):
                self._see_evaluation(layer, inputs)
            if not state.counts_here:
                return
            tensor = inputs[0] if inputs else None
            if type(tensor) is not Tensor or not tensor.is_floating_point():
                tensor = next((each for _, each in tensors_in((inputs, named))), None)
            if tensor is None or tensor.layout is not torch.strided:
                return
            # Data that slopes are taken by are data, too.
            if tensor.requires_grad and not (tensor.is_leaf and type(tensor) is Tensor):
                self._see_joined(layer, tensor)
                return
            if type(tensor) is not Tensor and not has_memory(tensor):
                return
            state.data[layer.name] = tensor, tensor._version
            if self._ask() and has_memory(tensor):
                self.first[layer] = None
                values = samples_of(tensor, evenly_spaced(tensor))
                call = min(self._calls[layer.name], _CALLS - 1)
                self._calls[layer.name] += 1
                self._seen[layer.name, call] = Data(
                    *(values, normalizes(layer.entry)),
                    rows=len(tensor) if tensor.ndim > 1 else 0,
                    blank=None if call else blank_share(tensor),
                    is_kept=self._origins.is_same((layer.name, call), tensor),
                    summed=self._sum(tensor) if call == 0 else None,
                    marks=None if call else sample_marks(tensor),
                )
                self._inside = layer.name, call

        def leave(_: nn.Module, __: Any, output: Any) -> None:
            place, self._inside = self._inside, None
            if place in self._seen and type(output) is Tensor and output.is_floating_point():
                given = samples_of(output, evenly_spaced(output))
                self._seen[place] = replace(self._seen[place], given=given)

        # An embedding gets numbers of rows, and may get a mask to count them by, as OPT's does.
        if isinstance(layer.entry, (torch.jit.ScriptModule, nn.Embedding)):
            return []
        handles = [layer.entry.register_forward_pre_hook(QuietHook(see), with_kwargs=True)]
        if _may_normalize(layer):
            handles.append(layer.entry.register_forward_hook(QuietHook(leave)))
        return handles

    def _see_joined(self, layer: Layer, tensor: Tensor) -> None:
        """Keep the data that were joined with what has a gradient, as with a step's embedding: of
        a network that gives its data to no layer alone.
        """
        if not self._ask() or not (layer in self._joined or not self.first):
            return
        part = _data_in(tensor)
        if part is not None and has_memory(part):
            self.first[layer] = None
            self._joined.add(layer)
            values = samples_of(part, evenly_spaced(part))
            self._seen[layer.name, 0] = Data(values, normalizes(layer.entry), is_part=True)

    def _sum(self, tensor: Tensor) -> Pending[Tensor] | None:
        if len(tensor) < MANY:
            self.summed += 1
        return summed_samples(tensor) if self.summed <= _SUMMED else None

    def take(self) -> tuple[Data, ...]:
        """What was seen since the last call."""
        several = {name for name, calls in self._calls.items() if calls > 1}
        seen = tuple(
            replace(data, is_part=data.is_part or name in several)
            for (name, _), data in self._seen.items()
        )
        self._seen = {}
        self._calls.clear()
        return seen


def _data_in(tensor: Tensor) -> Tensor | None:
    """The one part without a gradient, of at least a number a sample, of a tensor that was joined
    along its last axis; None of any other.
    """
    node = tensor.grad_fn
    if kind_of(node) != "Cat" or tensor.ndim < 2:
        return None
    parts = node.next_functions  # type: ignore[union-attr]
    axis = signed(node._saved_dim)  # type: ignore[union-attr]
    if axis not in (-1, tensor.ndim - 1) or [each for each, _ in parts].count(None) != 1:
        return None
    widths = [0 if each is None else each._input_metadata[at].shape[-1] for each, at in parts]
    before = sum(widths[: [each for each, _ in parts].index(None)])
    width = tensor.shape[-1] - sum(widths)
    return tensor.detach().narrow(-1, before, width) if width > 0 else None


def _may_normalize(layer: Layer) -> bool:
    """Whether it is neither a known normalisation nor an activation function, nor has a matrix."""
    if layer.function or layer.nonlinearity is not None or normalizes(layer.entry):
        return False
    return all(parameter.ndim == 1 for parameter in layer.entry.parameters())


_PROBED = 16
"""Numbers of each sample that count."""


def summed_samples(data: Tensor) -> Pending[Tensor] | None:
    """Of [samples, ...], the sum of a number of each sample, and of its square, float64 [2]; None
    of one sample, or where memory has them in another order.
    """
    if data.ndim < 2 or len(data) < 2 or not data.is_contiguous():
        return None
    features = data.detach().flatten(1)
    few = features[:, :: max(1, features.shape[1] // _PROBED)].double()
    weights = torch.arange(1, few.shape[1] + 1, dtype=few.dtype, device=few.device).sqrt()
    number = few @ weights
    return on_host(torch.stack([number.sum(), number.square().sum()]))


_SAMPLES, _FEATURES = 8, 16
"""Of fewer samples most may be so by chance; fewer features may all be 0 in earnest."""

_ELEMENTS = 2**16

_TRIED = 64
"""Numbers of each sample, which nearly always tell that none is blank."""


def blank_share(data: Tensor) -> Pending[Tensor] | None:
    """Of the first samples, [samples, ...] of at least 16 numbers each, the share that has the same
    number everywhere, one number for all of them; None of fewer samples or numbers. 0 where each
    sample is one number: that says which it is.
    """
    if data.ndim < 2 or len(data) < _SAMPLES or data[0].numel() < _FEATURES:
        return None
    few = data.detach()[: max(_SAMPLES, _ELEMENTS // data[0].numel())].flatten(1)
    if few.is_cpu:
        probed = few[:, :: max(1, few.shape[1] // _TRIED)]
        if not (probed[:, :1] == probed).all(1).any():
            return Pending.at_hand(torch.zeros(()))
    low, high = few.aminmax(dim=1)
    is_blank = low == high
    number = torch.where(is_blank, low, torch.nan).nanmedian()
    share = (is_blank & (low == number)).float().mean()
    return on_host(share.masked_fill(is_blank.all(), 0.0))
