"""The gates of recurrent layers: how many are shut, and how many open, at the keyframes."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.hooks import RemovableHandle

from layerscope.record.graph_nodes import backward_pass
from layerscope.record.hook_state import HookState
from layerscope.record.hooks.handles import remove_all
from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.network.compiled import is_compiled
from layerscope.record.network.layers import Layer
from layerscope.record.place import Place

SHUT, OPEN = 0.1, 0.9
"""Below and above, a gate is saturated (Karpathy et al. 2015, Visualizing and understanding
recurrent networks, section 4.2)."""

_SAMPLES = 8
_RECURRENT = (nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell)
_GATES = {"LSTM": {"input": 0, "forget": 1, "output": 3}, "GRU": {"reset": 0, "update": 1}}
"""By their place among the parts of a weight; the others are no gates."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What was seen of a gate in one step, over samples, times and units.

    Attributes:
        shut: share of its values below 0.1.
        open: share of its values above 0.9.
    """

    shut: float
    open: float

    def figures(self) -> dict[str, float]:
        """By names of `LAYER_FIGURES`."""
        return {"gate_shut": self.shut, "gate_open": self.open}

    def as_json(self) -> dict[str, float]:
        """The same, by its own names."""
        return {"shut": self.shut, "open": self.open}


def _quiet(given: Tensor) -> AbstractContextManager[object]:
    """Without CUDA's warning that the weights of one layer are no chunk of their own. Elsewhere
    filters are left alone: python shows a script's warnings again once they have changed.
    """
    return warnings.catch_warnings(action="ignore") if given.is_cuda else nullcontext()


class Gates:
    """Computes gates again, which torch's fused kernels keep to themselves, from the weights and
    the inputs of `nn.LSTM`, `nn.GRU` and their cells: of up to 8 samples of a batch, at the
    keyframes; other steps cost nothing. It takes two thirds of the forward pass of 32 samples.

    Of a stack with dropout between its layers the first layer is looked at only: nobody knows what
    was dropped. Packed sequences are passed over.
    """

    def __init__(self, network: nn.Module, layers: Sequence[Layer], state: HookState) -> None:
        self.places: dict[str, Place] = {}
        self._network = network
        self._state = state
        self._handles: list[RemovableHandle] = []
        self._sums: dict[str, Tensor] = {}
        self.follow(layers)

    def follow(self, layers: Sequence[Layer]) -> None:
        """These are the network's layers now."""
        recurrent = (each for each in layers if isinstance(each.module, _RECURRENT))
        self._layers = {layer.module: layer for layer in recurrent if not layer.function}

    def begin(self, looking: bool) -> None:
        """A step begins, in which gates are to be looked at or not."""
        if self._handles:
            self.end()
        if looking and self._layers and not is_compiled(self._network):
            self._handles = [
                module.register_forward_hook(QuietHook(self._see), with_kwargs=True)
                for module in self._layers
            ]

    def end(self) -> None:
        """Take the hooks off."""
        remove_all(self._handles)

    def take(self) -> Mapping[str, Gate]:
        """By place, what was seen in this step; waits for the device."""
        self.end()
        sums, self._sums = self._sums, {}
        seen = {}
        for name, each in sums.items():
            shut, opened, count = each.tolist()  # device to host, where there is one
            seen[name] = Gate(shut / count, opened / count)
        return seen

    def _see(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if not self._state.counts_here or not module.training or backward_pass() != -1:
            return
        values = [*args, *(kwargs[name] for name in ("input", "hx") if name in kwargs)]
        given, state = values[0], values[1] if len(values) > 1 else None
        if not isinstance(given, Tensor):
            return
        kind = "LSTM" if isinstance(module, (nn.LSTM, nn.LSTMCell)) else "GRU"
        # Neither for the mode that sees functions, nor for a gradient.
        uncast = torch.autocast(given.device.type, enabled=False)
        with torch._C.DisableTorchFunction(), torch.no_grad(), _quiet(given), uncast:
            for suffix, parts in _sums_of_inputs(module, kind, given, state):
                for gate, place in _GATES[kind].items():
                    width = parts.shape[-1] // (4 if kind == "LSTM" else 3)
                    value = parts[..., place * width : (place + 1) * width].sigmoid()
                    self._note(module, gate + suffix, value)

    def _note(self, module: nn.Module, gate: str, value: Tensor) -> None:
        layer = self._layers[module]
        name = f"{layer.name}/{gate}"
        self.places.setdefault(name, Place(name, layer.path, "gate"))
        counted = ((value < SHUT).sum(), (value > OPEN).sum(), value.new_tensor(value.numel()))
        sums = torch.stack([each.double() for each in counted])
        known = self._sums.get(name)
        self._sums[name] = sums if known is None else known + sums


def _sums_of_inputs(
    module: Any, kind: str, given: Tensor, state: Any
) -> Iterator[tuple[str, Tensor]]:
    """What the gates of each layer and direction are functions of, float [..., parts * width], and
    how it is called after the gate.
    """
    if isinstance(module, nn.RNNCellBase):
        hidden = state[0] if isinstance(state, tuple) else state
        hidden = None if hidden is None else _rows(hidden)
        bias = (module.bias_ih, module.bias_hh) if module.bias else ()
        weights = (module.weight_ih, module.weight_hh, *bias)
        yield "", _joined(_rows(given), hidden, weights)
        return
    x = given.unsqueeze(1) if given.ndim == 2 else given
    if module.batch_first and given.ndim > 2:
        x = x.transpose(0, 1)
    x = x[:, :_SAMPLES].to(module.weight_ih_l0.dtype)  # [time, samples, features]
    states = [each.to(x.dtype) for each in _first_states(module, x, state, kind)]
    ways = 2 if module.bidirectional else 1
    run: Any = torch._VF.lstm if kind == "LSTM" else torch._VF.gru
    for layer in range(1 if module.dropout else module.num_layers):
        weights = module.all_weights[layer * ways : (layer + 1) * ways]
        began = [each[layer * ways : (layer + 1) * ways].contiguous() for each in states]
        flat = [weight for way in weights for weight in way]
        out = run(
            x, tuple(began) if kind == "LSTM" else began[0], flat, module.bias, 1, 0.0, False,
            module.bidirectional, False,
        )[0]  # fmt: skip
        for way, of_way in enumerate(weights):
            width = out.shape[-1] // ways
            own, first = out[..., way * width : (way + 1) * width], began[0][way : way + 1]
            before = torch.cat([own[1:], first] if way else [first, own[:-1]])
            suffix = (f"_l{layer}" if layer else "") + ("_reverse" if way else "")
            yield suffix, _joined(x, before, of_way[: 4 if module.bias else 2])
        x = out


def _first_states(module: Any, x: Tensor, state: Any, kind: str) -> list[Tensor]:
    """[layers * ways, samples, width] of the hidden states, and of an LSTM's cells."""
    if state is None:
        count = module.num_layers * (2 if module.bidirectional else 1)
        sizes = (module.proj_size or module.hidden_size, module.hidden_size)
        if kind == "GRU":
            return [x.new_zeros(count, x.shape[1], module.hidden_size)]
        return [x.new_zeros(count, x.shape[1], size) for size in sizes]
    known = state if kind == "LSTM" else (state,)
    return [(each.unsqueeze(1) if each.ndim == 2 else each)[:, :_SAMPLES] for each in known]


def _rows(tensor: Tensor) -> Tensor:
    """Of a cell, at most 8 samples: [samples, width]."""
    return (tensor.unsqueeze(0) if tensor.ndim == 1 else tensor)[:_SAMPLES]


def _joined(x: Tensor, before: Tensor | None, weights: Sequence[Tensor]) -> Tensor:
    """W x + U h and their biases; without h, of a cell that begins, U h is 0."""
    biases = weights[2:] or (None, None)
    sums = F.linear(x.to(weights[0].dtype), weights[0], biases[0])
    if before is not None:
        return sums + F.linear(before.to(weights[1].dtype), weights[1], biases[1])
    return sums if biases[1] is None else sums + biases[1]
