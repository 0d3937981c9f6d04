"""What torch calls while functions are looked at: a mode, and hooks around a forward pass."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from layerscope.record.attention.attention import ATTENTION_CALLS
from layerscope.record.hooks.own_hook import OwnHook
from layerscope.record.network.activation_calls import ACTIVATION_CALLS
from layerscope.record.network.dropout_calls import DROPOUT_CALLS
from layerscope.record.routers import ROUTER_CALLS

_DATA = torch.Tensor.data.__get__  # type: ignore[attr-defined] # of the class it is a descriptor
CUTS = frozenset({torch.Tensor.detach, torch.detach, _DATA})
"""What gives a tensor without its graph."""

_LOOKED_AT = ATTENTION_CALLS | ROUTER_CALLS | DROPOUT_CALLS | CUTS


class FunctionMode(TorchFunctionMode):
    """Calls what is called, and tells of activation functions. It is off while it does so.

    Args:
        see: is given the function's name, its arguments and its output.

    Attributes:
        call: calls every function in torch's stead, where somebody wants to see them all.
        attend: is given each call that may be part of an attention, a router's choice, a dropout
            or a detach, its arguments and its output; None where these are not looked at.
    """

    def __init__(self, see: Callable[[str, Any, Any, Any], None]) -> None:
        super().__init__()
        self._see = see
        self.call: Callable[[Callable[..., Any], Any, Any], Any] | None = None
        self.attend: Callable[[Any, Any, Any, Any], None] | None = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.call is not None:
            output = self.call(func, args, kwargs or {})
        else:
            output = func(*args, **kwargs) if kwargs else func(*args)
        name = ACTIVATION_CALLS.get(func)
        if name is not None:
            self._see(name, args, kwargs or {}, output)
        if self.attend is not None and func in _LOOKED_AT:
            self.attend(func, args, kwargs or {}, output)
        return output


class AroundForward(OwnHook):
    """A hook before or after a module's forward, which torch.compile leaves out of its code.

    Args:
        pass_by: is called with the module when its forward begins, or has ended.
    """

    __slots__ = ("_pass_by",)

    def __init__(self, pass_by: Callable[[nn.Module], None]) -> None:
        self._pass_by = pass_by

    def __call__(self, module: nn.Module, *of_the_call: Any) -> None:
        """Called by torch with the module, its inputs and, after the forward, its output."""
        if not torch.compiler.is_compiling():
            self._pass_by(module)


def hooks_around(
    modules: Iterable[nn.Module],
    begin: Callable[[nn.Module], None],
    end: Callable[[nn.Module], None],
) -> list[RemovableHandle]:
    """Hooks before and after the forward of each, be it ended by an exception; on no scripted one,
    which takes none.
    """
    return [
        handle
        for module in modules
        if not isinstance(module, torch.jit.ScriptModule)
        for handle in (
            module.register_forward_pre_hook(AroundForward(begin)),
            module.register_forward_hook(AroundForward(end), always_call=True),
        )
    ]


_length: Callable[[], int] = torch._C._len_torch_function_stack
_pop: Callable[[], TorchFunctionMode] = torch.overrides._pop_mode
_push: Callable[[TorchFunctionMode], None] = torch.overrides._push_mode


def put_on(mode: TorchFunctionMode) -> None:
    """Turn a mode on, above those that are."""
    _push(mode)


def take_off(mode: TorchFunctionMode) -> None:
    """Turn a mode off; those that somebody has turned on meanwhile, and left on, stay on."""
    above = []
    while _length():
        top = _pop()
        if top is mode:
            break
        above.append(top)
    for each in reversed(above):
        _push(each)
