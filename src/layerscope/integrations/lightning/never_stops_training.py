"""A callback's hook whose failure ends the monitoring, and not the training."""

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import lightning.pytorch as pl

_P = ParamSpec("_P")


class _GivesUp(Protocol):
    def _give_up(self, step: int, error: Exception) -> None: ...


_Self = TypeVar("_Self", bound=_GivesUp)

_Hook = Callable[Concatenate[_Self, pl.Trainer, _P], None]


def never_stops_training(hook: _Hook[_Self, _P]) -> _Hook[_Self, _P]:
    """The same hook, but what it raises is told to the callback's `_give_up`, with the step."""

    @functools.wraps(hook)
    def guarded(self: _Self, trainer: pl.Trainer, /, *args: _P.args, **kw: _P.kwargs) -> None:
        try:
            hook(self, trainer, *args, **kw)
        except Exception as error:
            self._give_up(trainer.global_step, error)

    return guarded
