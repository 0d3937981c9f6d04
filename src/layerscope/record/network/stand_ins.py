"""A layer that is called in the place of another, which nothing calls: a slip of the pen."""

from collections.abc import Sequence
from typing import Any
from weakref import ref

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from layerscope.record.graph_nodes import backward_pass
from layerscope.record.hooks.handles import remove_all
from layerscope.record.hooks.own_hook import OwnHook
from layerscope.record.network.layers import Layer


class StandIns:
    """Looks, in one step, whether a layer gets the very tensor twice that other layers made, where
    another of its class and shapes is trained and was never called.

    A network in which all layers are called costs nothing. In others a layer that might stand in
    for one has a hook for a step.

    Attributes:
        found: by the name of the layer that is not called, that of the one that is called twice.
    """

    def __init__(self) -> None:
        self._handles: list[RemovableHandle] = []
        self._seen: dict[str, list[ref[Tensor]]] = {}
        self._for: dict[str, list[str]] = {}
        self.found: dict[str, str] = {}

    def attach(self, called: Sequence[Layer], uncalled: Sequence[Layer]) -> None:
        """Look from now on.

        Args:
            called: layers that were called as modules in the first step, and `uncalled`, that were
                not.
        """
        wanted: dict[Any, list[str]] = {}
        for layer in uncalled:
            if (kind := _kind(layer.entry)) is not None:
                wanted.setdefault(kind, []).append(layer.name)
        for layer in called if wanted else ():
            uncalled_alike = wanted.get(_kind(layer.entry))
            if uncalled_alike:
                self._for[layer.name] = uncalled_alike
                see = _Sees(self, layer.name)
                self._handles.append(layer.entry.register_forward_pre_hook(see))

    def detach(self) -> None:
        """Look no more."""
        remove_all(self._handles)
        self._seen.clear()

    def see(self, name: str, tensor: Any) -> None:
        """A layer gets a tensor. One that is computed again in the backward pass gets it again."""
        if isinstance(tensor, Tensor) and tensor.requires_grad and backward_pass() == -1:
            before = self._seen.setdefault(name, [])
            if any(each() is tensor for each in before):
                for uncalled in self._for[name]:
                    self.found.setdefault(uncalled, name)
            before.append(ref(tensor))


class _Sees(OwnHook):
    """A hook before a layer's forward."""

    __slots__ = ("_name", "_stand_ins")

    def __init__(self, stand_ins: StandIns, name: str) -> None:
        self._stand_ins, self._name = stand_ins, name

    def __call__(self, _: nn.Module, inputs: Any) -> None:
        """Called by torch."""
        self._stand_ins.see(self._name, inputs[0] if inputs else None)


def _kind(module: nn.Module) -> Any:
    """What two layers have in common of which one may be meant where the other stands; None of one
    that is not trained.
    """
    shapes = tuple(parameter.shape for parameter in module.parameters())
    trained = shapes and all(parameter.requires_grad for parameter in module.parameters())
    return (type(module), shapes) if trained else None
