"""Does a network load weights that are its own, as they are now?"""

from collections.abc import Callable, Mapping
from typing import Any
from weakref import ref

from torch import Tensor, nn

from layerscope.record.hooks.own_hook import OwnAttribute

_Note = Callable[[Any], None]


class OwnWeights:
    """Follows the state dicts of a network from `state_dict` to `load_state_dict`.

    The tensors of a state dict share the parameters' memory: what is kept of them without a copy
    goes on changing with every step, and to load it changes nothing. A state dict that was taken in
    the same step may have been filled from a file in between, as torch's distributed checkpoints do
    it, and does not count.

    Args:
        network: of which `state_dict` and `load_state_dict` themselves are looked at, not those of
            its parts.
        step: gives the number of the step that goes on.

    Attributes:
        loaded: the last step in which its own weights were loaded into it, having been taken in an
            earlier one; None if that never was.
    """

    def __init__(self, network: nn.Module, step: Callable[[], int]) -> None:
        self._network, self._step = network, step
        self._taken: list[tuple[ref[Tensor], int]] = []
        self.loaded: int | None = None

    def attach(self) -> None:
        """Look from now on."""
        _Taken.put_on(self._network, self._take)
        _Loaded.put_on(self._network, self._load)

    def detach(self) -> None:
        """Look no more."""
        _Taken.detach([self._network])
        _Loaded.detach([self._network])

    def _take(self, state: Any) -> None:
        shared = self._shared(state)
        if shared is not None:
            alive = [(each, step) for each, step in self._taken if each() is not None]
            self._taken = [*alive, (ref(shared), self._step())]

    def _load(self, state: Any) -> None:
        shared, now = self._shared(state), self._step()
        if any(each() is shared and step < now for each, step in self._taken if shared is not None):
            self.loaded = now

    def _shared(self, state: Any) -> Tensor | None:
        """The first of its tensors that lies where the network's parameter of that name does."""
        if not isinstance(state, Mapping):
            return None
        for name, parameter in self._network.named_parameters():
            tensor = state.get(name)
            if isinstance(tensor, Tensor) and tensor is not parameter and parameter.numel():
                return tensor if tensor.data_ptr() == parameter.data_ptr() else None
        return None


class _Noted(OwnAttribute):
    """A method of a module's that somebody is told of."""

    __slots__ = ("_note",)

    _note: _Note

    @classmethod
    def put_on(cls, module: nn.Module, note: _Note) -> None:
        """Put it on a module that has no such attribute of its own."""
        cls.attach([module])
        own = module.__dict__[cls.name]
        if isinstance(own, cls):
            own._note = note

    def _told(self, state: Any) -> None:
        try:
            self._note(state)
        except (AttributeError, TypeError, ValueError, RuntimeError):  # a copy has none; no memory
            return


class _Taken(_Noted):
    name = "state_dict"

    __slots__ = ()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """The network's own, and what it gives."""
        state = type(self.module).state_dict(self.module, *arguments, **named)
        self._told(state)
        return state


class _Loaded(_Noted):
    name = "load_state_dict"

    __slots__ = ()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """The network's own, and what it gets."""
        self._told(arguments[0] if arguments else named.get("state_dict"))
        return type(self.module).load_state_dict(self.module, *arguments, **named)
