"""A value that may still be on its way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
S = TypeVar("S")


_arriving = threading.RLock()  # of whoever looks first; one lock does, for a look is short


class Pending(Generic[T]):
    """A value that is there now, as from the CPU, or comes later, as from a CUDA device.

    Once it has been looked at, it can be pickled if the value can.

    Args:
        arrive: gives the value, and waits for it if it must; called once, at the first look, by the
            thread that looks.
        arguments: for it. (A closure would be four objects more for Python's garbage collector.)
    """

    __slots__ = ("_arguments", "_arrive", "_value")

    def __init__(self, arrive: Callable[..., T], *arguments: Any) -> None:
        self._arrive: Callable[..., T] | None = arrive
        self._arguments = arguments
        self._value: Any = None

    @classmethod
    def at_hand(cls, value: T) -> Pending[T]:
        """A value that nobody need wait for."""
        pending = cls.__new__(cls)
        pending._arrive, pending._arguments, pending._value = None, (), value
        return pending

    def get(self) -> T:
        """The value; the first look may wait for the device."""
        if self._arrive is not None:
            with _arriving:
                if self._arrive is not None:  # no other thread has fetched it meanwhile
                    self._value = self._arrive(*self._arguments)
                    self._arrive, self._arguments = None, ()
        return self._value

    def then(self, change: Callable[[T], S]) -> Pending[S]:
        """What a function makes of the value, once somebody looks at it."""
        return Pending(lambda: change(self.get()))


def at_hand(value: float | Pending[Any]) -> float:
    """A number that may be pending, itself: waits for it if need be."""
    return float(value.get() if isinstance(value, Pending) else value)


NO = Pending.at_hand(False)
