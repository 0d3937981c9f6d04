"""The checkpoint from which a training goes on to the same bits, and the stop after it."""

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint

from layerscope import EventLogger
from layerscope.training.run_folder import LAST
from layerscope.training.termination import Terminable

_EVERY = 300.0
"""Seconds: what a run that is killed loses at most. A checkpoint takes milliseconds."""


class LastCheckpoint(Checkpoint):
    """Writes last.ckpt: at each epoch's end, after each validation, every five minutes, and where
    Ctrl-C or SIGTERM ask the training to stop; then it stops.

    Never in the middle of a step, whose first micro-batches would be lost: after a validation that
    comes there it is the end of that step. Nor between a step and the validation that follows it,
    which Lightning would leave out when it goes on. Where several
    processes train together, Lightning's own handling of SIGTERM stays: all must stop in the same
    step.

    It is a `Checkpoint` so that it comes after all other callbacks, of whose states it writes.

    Attributes:
        has_started: whether the training has begun; before that Lightning refuses settings.
    """

    def __init__(self, terminable: Terminable, folder: Path) -> None:
        self.has_started = False
        self._terminable = terminable
        self._path = folder / LAST
        self._step = 0  # of the trainer, at the end of the batch before
        self._step_has_ended = self._saved = False  # with the batch before; after it
        self._is_due = False  # since a validation in the middle of a step
        self._saved_at = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From now on a stop waits for the end of a step."""
        self.has_started = True
        self._step, self._saved_at = trainer.global_step, time.monotonic()
        if trainer.world_size == 1:
            self._terminable.take_over()
            self._terminable.waits = True

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save, if it is time to and the batch has ended a step that no validation follows."""
        before, self._step = self._step, trainer.global_step
        # The end of an epoch has a checkpoint of its own.
        self._step_has_ended = trainer.global_step != before and not trainer.is_last_batch
        self._saved = False
        is_time = trainer.strategy.broadcast(time.monotonic() - self._saved_at >= _EVERY)
        is_time |= self._is_due or self._terminable.asked is not None
        if is_time and self._step_has_ended and not _validation_follows(trainer, batch_idx):
            self._save(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save, if the batch before has ended a step; else when the step ends."""
        if self._step_has_ended:
            self._save(trainer)
        else:
            self._is_due = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save."""
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        if isinstance(trainer.logger, EventLogger):  # a checkpoint is never ahead of the events
            trainer.logger.flush()
        trainer.save_checkpoint(self._path)
        self._saved, self._is_due, self._saved_at = True, False, time.monotonic()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop, now that the losses of the last step are logged."""
        self._stop()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop between two epochs."""
        self._stop()

    def _stop(self) -> None:
        stop = self._terminable.asked
        if self._saved and stop is not None:
            raise stop

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """There are no more steps to wait for."""
        self._terminable.waits = False

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """The same."""
        self._terminable.waits = False


def _validation_follows(trainer: pl.Trainer, batch: int) -> bool:
    """Whether Lightning validates after this batch of the epoch."""
    every_epochs = trainer.check_val_every_n_epoch
    if not trainer.enable_validation or (
        every_epochs is not None and (trainer.current_epoch + 1) % every_epochs
    ):
        return False
    if trainer.should_stop:
        return True
    at = trainer.fit_loop.epoch_loop.total_batch_idx if every_epochs is None else batch
    every = trainer.val_check_batch  # None: of an interval of time
    return every is not None and (at + 1) % every == 0
