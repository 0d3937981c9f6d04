"""A training that is asked to stop does so between two steps, and leaves a checkpoint."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from layerscope.training.run_folder import LAST
from layerscope.training.termination import Terminable


class StopAfterAStep(pl.Callback):
    """On Ctrl-C or SIGTERM, saves a checkpoint after the optimizer's step that goes on, and raises.

    So a resumed run takes every step once, on all micro-batches of it, and validates where it would
    have. Where several processes train together, Lightning's own
    handling of SIGTERM stays: all must stop in the same step.

    Args:
        terminable: which hears the signals.
        folder: of checkpoints.
    """

    def __init__(self, terminable: Terminable, folder: Path) -> None:
        self._terminable = terminable
        self._folder = folder
        self._step = 0  # of the trainer, at the end of the batch before
        self._saved = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From now on wait for the end of a step."""
        self._step = trainer.global_step
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
        """Save a checkpoint, if a stop is asked for and the batch has ended a step.

        The last batch of an epoch is followed by the validation, and by a checkpoint after it.
        """
        before, self._step = self._step, trainer.global_step
        has_ended = trainer.global_step != before and not trainer.is_last_batch
        if has_ended and self._terminable.asked is not None:
            trainer.save_checkpoint(self._folder / LAST)
            self._saved = True

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop, now that the losses of the last step are logged."""
        self._stop(self._saved)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same, where a validation within the epoch comes first."""
        self._stop(self._saved)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop between two epochs."""
        self._stop(trainer.global_step > 0)

    def _stop(self, saved: bool) -> None:
        stop = self._terminable.asked
        if saved and stop is not None:
            raise stop

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """There are no more steps to wait for."""
        self._terminable.waits = False

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """The same."""
        self._terminable.waits = False
