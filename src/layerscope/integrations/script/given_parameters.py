"""Tells of parameters that an optimizer is given: when it is made or copied, or later."""

import functools
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer


class GivenParameters:
    """Stands before two methods of `Optimizer`: torch has no hook for an optimizer that is made.

    Args:
        tell: is given the optimizer, which has the parameters by then.
    """

    def __init__(self, tell: Callable[[Optimizer], None]) -> None:
        self._tell = tell
        self._theirs: dict[str, Any] = {}

    def attach(self) -> None:
        """Tell from now on."""
        for name in ("add_param_group", "__setstate__"):
            self._theirs[name] = theirs = getattr(Optimizer, name)
            setattr(Optimizer, name, self._telling(theirs))

    def detach(self) -> None:
        """Tell no more."""
        while self._theirs:
            setattr(Optimizer, *self._theirs.popitem())

    def _telling(self, theirs: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(theirs)
        def told(optimizer: Optimizer, /, *given: Any, **named: Any) -> None:
            theirs(optimizer, *given, **named)
            self._tell(optimizer)

        return told
