"""What Lightning tells a callback while it trains, handed on to the fit that is watched."""

import functools
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import lightning.pytorch as pl
from torch import Tensor
from torch.optim import Optimizer

from layerscope.integrations.lightning.watched_fit import WatchedFit

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


class FitHooks(pl.Callback):
    """A callback that tells its `WatchedFit` of each batch, as long as there is one."""

    _fit: WatchedFit | None = None  # from the start of training to its end

    @abstractmethod
    def _give_up(self, step: int, error: Exception) -> None:
        """Watch no more, since the instrument has failed; training goes on."""

    @never_stops_training
    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Count in this batch, if its step is due."""
        if self._fit is not None:
            self._fit.session.begin(trainer.global_step)

    @never_stops_training
    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor
    ) -> None:
        """Note the loss, divided by the number of micro-batches and scaled as it is."""
        if self._fit is not None:
            self._fit.session.see_loss(loss)
            self._fit.session.note_loss(loss)

    @never_stops_training
    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Measure what the optimizer is about to receive, and the weights it starts from."""
        if self._fit is not None:
            self._fit.before_step(optimizer)

    @never_stops_training
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Look whether all went well, and whether training must stop."""
        if self._fit is not None:
            self._fit.end_batch()

    @never_stops_training
    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take the hooks off: validation is not what the optimizer learns from."""
        if self._fit is not None:
            self._fit.session.detach()

    @never_stops_training
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the hooks on again."""
        if self._fit is not None:
            self._fit.session.attach()
