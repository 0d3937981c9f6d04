"""The residual stream of repeated blocks: its size, and that of each branch that is added to it.

A stream is in no module's output by itself: a block adds its branches in its own code. So the calls
of torch within the blocks are looked at, in the steps that are looked at, by the mode of
`Functions`. What a block is given is the stream; what is made of it by a normalisation, by a
function of each element or by moving elements about is the stream too. What is added to that, of
the same shape, is a branch.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from layerscope.record.addition import Addition, Sums, norm, sent, sums_of
from layerscope.record.distributed.shards import class_of, is_partial_sum, is_sharded, local_part
from layerscope.record.hook_state import HookState
from layerscope.record.hooks.handles import remove_all
from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.network.compiled import is_compiled
from layerscope.record.network.layer_names import common_prefix, first_free, place_of, unwrapped
from layerscope.record.network.layers import Layer
from layerscope.record.outputs import tensors_in
from layerscope.record.place import Place
from layerscope.record.samples import has_memory
from layerscope.record.search import Search

_log = logging.getLogger("layerscope")

_ADDITIONS = ("add", "add_")
_SAME_STREAM = frozenset(
    {
        *("layer_norm", "rms_norm", "batch_norm", "group_norm", "instance_norm", "normalize"),
        *("relu", "relu_", "gelu", "silu", "tanh", "leaky_relu", "dropout", "mul", "mul_", "div"),
        *("to", "float", "half", "bfloat16", "double", "type_as", "contiguous", "clone"),
        *("view", "reshape", "flatten", "unflatten", "transpose", "permute", "movedim"),
        *("squeeze", "unsqueeze"),
    }
)
_REMEMBERED = 16  # calls before a block's that its input may come from


@dataclass(slots=True, eq=False)
class _Call:
    """A call of a block: tensors that are its stream, and the last call within it.

    They are not kept alive: to train with all of them in memory would take longer.
    """

    block: nn.Module | None = None
    last: _Call | None = None
    additions: int = 0
    _stream: dict[int, ref[Tensor]] = field(default_factory=dict)

    def has(self, tensor: Tensor) -> bool:
        """Whether a tensor is its stream."""
        known = self._stream.get(id(tensor))
        return known is not None and known() is tensor

    def add(self, tensor: Tensor) -> None:
        """A tensor is its stream."""
        self._stream[id(tensor)] = ref(tensor)


class Stream:
    """Looks at the additions of branches in a network's repeated blocks, in a step that is looked
    at; others cost nothing. Where none was seen it looks where all modules are searched alone.

    Attributes:
        places: where a branch was seen to be added so far, in the order of the first time.
    """

    def __init__(self, network: nn.Module, layers: Sequence[Layer], state: HookState) -> None:
        self._network = network
        self._state = state
        self._prefix = common_prefix([layer.path for layer in layers if layer.has_output])
        self._blocks = repeated_blocks(network)
        self.places: dict[tuple[nn.Module, int], Place] = {}
        self._handles: list[RemovableHandle] = []
        self._calls = [_Call()]
        self._made: deque[tuple[ref[Tensor], ref[Tensor]]] = deque(maxlen=_REMEMBERED)
        self._measured: dict[str, Sums] = {}
        self._is_new = True  # the network, which was not looked into yet

    def follow(self) -> None:
        """The network has changed."""
        self._is_new = True
        self._blocks = repeated_blocks(self._network)

    def begin(self, looking: bool, search: Search) -> None:
        """A step begins, which is to be looked at or not."""
        if self._handles:
            self.end()
        may_be_seen = self.places or search == Search.ALL or (search and self._is_new)
        if not (looking and self._blocks and may_be_seen) or self._state.is_compiled:
            return
        self._is_new = False
        if not is_compiled(self._network):  # asks each of its modules
            for block in self._blocks:
                if not isinstance(block, torch.jit.ScriptModule):
                    self._handles += [
                        block.register_forward_pre_hook(QuietHook(self._enter), with_kwargs=True),
                        block.register_forward_hook(QuietHook(self._leave), always_call=True),
                    ]

    @property
    def is_on(self) -> bool:
        """Whether the calls of torch in this step are to come through `call`."""
        return bool(self._handles)

    def end(self) -> None:
        """Take the hooks off, and let go of all tensors."""
        remove_all(self._handles)
        self._calls = [_Call()]
        self._made.clear()

    def take(self) -> dict[str, Addition]:
        """What was measured in this step, by the names of places."""
        self.end()
        measured, self._measured = self._measured, {}
        if not measured:
            return {}
        rows = sent(list(measured.values()))
        return {name: Addition(rows, place) for place, name in enumerate(measured)}

    # Hooks, and the mode.

    def _enter(self, block: nn.Module, inputs: Any, named: Any) -> None:
        call = _Call(block)
        self._calls.append(call)
        given = next((tensor for _, tensor in tensors_in((inputs, named))), None)
        while given is not None and not call.has(given):  # in place, it is made of itself
            call.add(given)
            given = next((source() for made, source in self._made if made() is given), None)

    def _leave(self, block: nn.Module, inputs: Any, output: Any) -> None:
        if self._calls[-1].block is block:
            ended = self._calls.pop()
            self._calls[-1].last = ended

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call a function of torch as its caller does, and see what it does to the stream."""
        name = getattr(function, "__name__", "")
        if name in _ADDITIONS:
            found = self._quietly(self._meet, args, kwargs)
            output = function(*args, **kwargs)
            self._quietly(self._add, found, args, output)
            return output
        output = function(*args, **kwargs)
        if name in _SAME_STREAM:
            self._quietly(self._follow_on, args, output)
        return output

    def _quietly(self, do: Callable[..., Any], *args: Any) -> Any:
        try:
            return do(*args)
        except Exception:  # the network goes on, and this addition is not seen
            _log.debug("LayerScope: a residual stream was not seen", exc_info=True)
            return None

    def _open(self) -> Iterator[_Call]:
        """Calls whose stream goes on: those that run, and the last that has ended in each."""
        for call in reversed(self._calls):
            yield call
            if call.last is not None:
                yield call.last

    def _follow_on(self, args: Any, output: Any) -> None:
        """What is made of a stream is the stream."""
        for given in args[:2]:
            if isinstance(given, Tensor) and isinstance(output, Tensor):
                self._made.append((ref(output), ref(given)))
                for call in self._open():
                    if call.has(given):
                        call.add(output)

    def _meet(self, args: Any, kwargs: Any) -> tuple[_Call, Tensor, Tensor] | None:
        """The call whose stream gets a branch, and the norms of both before."""
        if kwargs or len(args) != 2 or not self._state.counts_here:
            return None
        if not all(isinstance(each, Tensor) for each in args):
            return None
        if any(is_sharded(each) and is_partial_sum(each) for each in args):
            return None
        own = [local_part(each) for each in args]
        if not all(has_memory(each) for each in own):
            return None
        if args[0].shape != args[1].shape or args[0].ndim < 2:
            return None
        for call in self._open():
            known = [call.has(each) for each in args]
            if any(known):
                if all(known) or call.block is None:
                    return None
                at = 0 if known[0] else 1  # which of both is the stream
                if args[at].requires_grad and not args[1 - at].requires_grad:
                    return None  # a table of positions
                stream, branch = own[at], own[1 - at]
                return call, norm(stream), norm(branch)
        return None

    def _add(self, found: tuple[_Call, Tensor, Tensor] | None, args: Any, output: Tensor) -> None:
        self._follow_on(args, output)
        if found is None:
            return
        call, before, branch = found
        assert call.block is not None
        place = self._place(call.block, call.additions)
        call.additions += 1
        self._measured[place.name] = sums_of(before, branch, local_part(output).detach())

    def _place(self, block: nn.Module, number: int) -> Place:
        if (block, number) not in self.places:
            path, latest = self._blocks[block], self._state.latest
            number_before = latest.name.partition("_")[0] if latest else "00"
            base = f"{number_before}_{place_of(path, block, self._prefix, self._network)}"
            taken = {place.name for place in self.places.values()}
            name = first_free(f"{base}/add", taken, number)
            blocks = path.rpartition(".")[0]
            depth = sum(place.stream == blocks for place in self.places.values())
            self.places[block, number] = Place(name, path, "add", blocks, depth)
        return self.places[block, number]


FEWEST = 3
"""Modules of one class that make repeated blocks of it."""


def repeated_blocks(network: nn.Module) -> dict[nn.Module, str]:
    """The path of each module whose class stands at least three times in the network's lists and
    sequences (`nn.ModuleList`, `nn.Sequential`), in the order in which they were registered.

    Whether a residual stream goes through them shows when they are called.
    """
    listed = [
        (f"{unwrapped(path)}.{name}".lstrip("."), part)
        for path, module in network.named_modules()
        if isinstance(module, (nn.ModuleList, nn.Sequential))
        for name, part in module.named_children()
    ]
    often = Counter(class_of(module) for _, module in listed)
    return {module: path for path, module in listed if often[class_of(module)] >= FEWEST}
