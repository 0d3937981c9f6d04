"""Tells of parameters that an optimizer is given: when it is made, or later."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer


class GivenParameters:
    """Stands before `Optimizer.add_param_group`: torch has no hook for an optimizer that is made.

    Args:
        tell: is given the optimizer, which has the parameters by then.
    """

    def __init__(self, tell: Callable[[Optimizer], None]) -> None:
        self._tell = tell
        self._theirs: Callable[[Optimizer, dict[str, Any]], None] | None = None

    def attach(self) -> None:
        """Tell from now on."""
        theirs = self._theirs = Optimizer.add_param_group

        @functools.wraps(theirs)
        def add_param_group(optimizer: Optimizer, param_group: dict[str, Any]) -> None:
            theirs(optimizer, param_group)
            self._tell(optimizer)

        Optimizer.add_param_group = add_param_group  # type: ignore[method-assign, assignment]

    def detach(self) -> None:
        """Tell no more."""
        if self._theirs is not None:
            Optimizer.add_param_group = self._theirs  # type: ignore[method-assign, assignment]
            self._theirs = None
