"""Whether the backward of somebody's own autograd function depends on the gradient it gets."""

import dis
import inspect
import types
from collections.abc import Container, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from layerscope.record.graph_nodes import behind, inputs_of, kind_of, shape_of
from layerscope.record.network.pure_forward import only_computes

_DRAWS = ("rand", "dropout", "bernoulli", "normal", "multinomial", "poisson")
_NODES = 4096


class OwnBackward:
    """Calls, in the first step only, such a backward with a gradient of ones and with one of minus
    ones: by the chain rule it is linear, and gives the opposite.

    It is called where its code shows that it only computes: it sets nothing, changes nothing in
    place, draws no random numbers, and calls torch's functions alone.

    Attributes:
        without_gradient: names of the functions whose backward gives the same both times, and not
            zeros: it does not use what it gets.
        in_loss: names of those of a loss whose code never reads what their backward gets, though
            that is not 1.
    """

    def __init__(self) -> None:
        self.without_gradient: set[str] = set()
        self.in_loss: set[str] = set()
        self._tried: set[type] = set()

    def look(self, nodes: Iterable[Any]) -> None:
        """Look at a graph whose backward pass has not come yet, from these nodes on."""
        for start in nodes:
            for node in behind(start, (), _NODES):
                if not isinstance(node, BackwardCFunction):
                    continue
                kind: Any = getattr(node, "_forward_cls", None)
                if kind is not None and kind not in self._tried:
                    self._tried.add(kind)
                    if _forgets(node, kind):
                        self.without_gradient.add(kind.__name__)

    def look_at_loss(self, loss: Any, ends: Container[Any]) -> None:
        """Look at a loss's graph, before or after its backward pass: none of it is called. What is
        added up gets a gradient of 1, whatever it makes of that.
        """
        added: set[Any] = set()
        waiting = [loss]
        while waiting and len(added) < _NODES:
            here = waiting.pop()
            added.add(here)
            inputs = [each for each in inputs_of(here) if each not in added]
            is_same = kind_of(here) in _OF_ONE and not any(map(shape_of, inputs))
            if is_same or kind_of(here) in _SUMS:
                waiting += inputs
        for node in behind(loss, ends):
            kind: Any = getattr(node, "_forward_cls", None)
            is_own = isinstance(node, BackwardCFunction) and kind is not None
            if is_own and node not in added and _never_reads(kind):
                self.in_loss.add(kind.__name__)


_SUMS = ("Add", "Clone", "Alias")
_OF_ONE = ("Mean", "Sum")
"""Of one number that is what it was."""


def _never_reads(kind: type) -> bool:
    """Whether a function's backward makes something of what was saved, and its code has no word of
    the gradient.
    """
    backward = kind.__dict__.get("backward")
    function = backward.__func__ if isinstance(backward, staticmethod) else None
    if not isinstance(function, types.FunctionType):
        return False
    code = function.__code__
    ways = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    given = set(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount + ways])
    read = {
        name
        for each in dis.get_instructions(function)
        if each.opname.startswith("LOAD_")
        for name in (each.argval if isinstance(each.argval, tuple) else (each.argval,))
    }
    return bool(given) and not given & read and "saved_tensors" in code.co_names


def _forgets(node: Any, kind: Any) -> bool:
    backward = kind.__dict__.get("backward")
    if not isinstance(backward, staticmethod) or not _may_be_called(backward.__func__, kind):
        return False
    shapes = [(each.shape, each.dtype, each.device) for each in node._input_metadata]
    if not shapes or not all(dtype.is_floating_point for _, dtype, _ in shapes):
        return False
    ones = [torch.ones(shape, dtype=dtype, device=device) for shape, dtype, device in shapes]
    try:
        with torch._C.DisableTorchFunction(), torch.no_grad():
            given = _tensors(backward.__func__(node, *ones))
            opposite = _tensors(backward.__func__(node, *(-each for each in ones)))
            pairs = list(zip(given, opposite, strict=True))
            return bool(pairs) and all(one.equal(other) and one.any() for one, other in pairs)
    except Exception:  # it is the user's: whatever it cannot do, its own pass will tell
        return False


def _may_be_called(function: Any, kind: type) -> bool:
    if not isinstance(function, types.FunctionType) or not only_computes(function, kind):
        return False
    for instruction in dis.get_instructions(function):
        name = str(instruction.argval)
        in_place = instruction.opname == "BINARY_OP" and instruction.argrepr.endswith("=")
        if in_place or instruction.opname == "STORE_SUBSCR":
            return False
        is_named = instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL")
        if is_named and (name.endswith("_") or any(draws in name for draws in _DRAWS)):
            return False
    return True


def _tensors(given: Any) -> list[Tensor]:
    several = given if isinstance(given, tuple) else (given,)
    return [each for each in several if isinstance(each, Tensor)]
