"""Where torch does something else because a module has hooks, ours are off for that moment."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils.hooks import RemovableHandle

from layerscope.record.hooks.own_hook import Hidden, OwnAttribute, Reduction, hide, show


class StandAside:
    """Takes a network's hooks off while torch would behave otherwise for them.

    - `torch.jit.script` compiles hooks, or fails on them. It asks each module for
      `__prepare_scriptable__` first, which a watched one has. The hooks are back at the next call
      of any module.
    - `nn.TransformerEncoderLayer` computes in one fused kernel, whose last bits are others, in
      evaluation mode and without gradients, if none of its modules has a hook ("Fast path" in its
      documentation). A frozen encoder under a trained head would feed it other numbers. Its parts,
      which the kernel never calls, cannot be measured in such a call. Only a network with such
      a layer pays for this: about a microsecond for each call of a module.
    - `pickle`, `torch.save` and `copy` take a module's hooks along: a watched one has a
      `__reduce_ex__` that leaves ours out.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._hidden: Hidden = []
        self._handle: RemovableHandle | None = None

    def attach(self) -> None:
        """Look out for all three, in modules too that have come since it was called before."""
        for attribute in _ATTRIBUTES:
            attribute.attach(self._network.modules())
        if self._handle is None and any(
            isinstance(m, nn.TransformerEncoderLayer) for m in self._network.modules()
        ):
            self._handle = register_module_forward_pre_hook(self._before_call)

    def detach(self) -> None:
        """Put the hooks back, for whoever owns them to take off, and look out no more."""
        self.put_back()
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        for attribute in _ATTRIBUTES:
            attribute.detach(self._network.modules())

    def put_back(self) -> None:
        """Put back what is off; some nanoseconds if nothing is."""
        if self._hidden:
            show(self._hidden)
        if _scripted.hidden:
            _scripted.end()

    def _before_call(self, module: nn.Module, inputs: Any) -> None:
        if not isinstance(module, nn.TransformerEncoderLayer) or torch.compiler.is_compiling():
            return
        if not (module.training or needs_gradients(module, inputs)):
            self._hidden += hide(module.modules())
        elif self._hidden:
            show(self._hidden)


def needs_gradients(module: nn.Module, inputs: Any) -> bool:
    """Whether a call of a module makes a graph for the backward pass."""
    return torch.is_grad_enabled() and (
        any(isinstance(each, Tensor) and each.requires_grad for each in inputs)
        or any(parameter.requires_grad for parameter in module.parameters())
    )


class _Scripted:
    """The hooks of modules that are being scripted; back at the next call of any module."""

    def __init__(self) -> None:
        self.hidden: Hidden = []
        self._handle: RemovableHandle | None = None

    def begin(self, module: nn.Module) -> None:
        self.hidden += hide([module])
        if self.hidden and self._handle is None:
            self._handle = register_module_forward_pre_hook(lambda *_: self.end())

    def end(self) -> None:
        show(self.hidden)
        if self._handle is not None:
            self._handle.remove()
            self._handle = None


_scripted = _Scripted()


class _Preparation(OwnAttribute):
    """What `torch.jit.script` asks every module for that it is about to compile."""

    name = "__prepare_scriptable__"

    __slots__ = ()

    def __call__(self) -> nn.Module:
        module = self.module
        _scripted.begin(module)
        return module


_ATTRIBUTES: tuple[type[OwnAttribute], ...] = (Reduction, _Preparation)
