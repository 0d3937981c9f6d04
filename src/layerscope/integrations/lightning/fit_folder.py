"""The folder that a fit writes to: chosen and claimed by rank 0, known to all ranks."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import lightning.pytorch as pl

from layerscope.events.event_file import EventFile
from layerscope.integrations.lightning.logger import EventLogger
from layerscope.session.claimed_folder import ClaimedFolder, claim
from layerscope.session.door import Door
from layerscope.session.local_folder import is_same_folder, local_folder

_log = logging.getLogger("layerscope")


class FitFolder:
    """Where a monitor writes in one fit, from its start until `release`.

    Args:
        log_dir: as the monitor was given it; None for the trainer's.
        resumes: whether the run goes on with an earlier one.
        leads: whether no other monitor of the trainer comes before: the logger goes where it goes.

    Attributes:
        is_dry: whether it is a temporary one, as `fast_dev_run` leaves no files behind.

    Raises:
        ValueError: the folder is not on this machine, is being written by another process, or holds
            a run that is not resumed; on all ranks alike.
    """

    def __init__(
        self, trainer: pl.Trainer, log_dir: str | None, *, resumes: bool, leads: bool, door: Door
    ) -> None:
        self._claimed: ClaimedFolder | None = None
        self._temporary: TemporaryDirectory[str] | None = None
        self.is_dry = bool(trainer.fast_dev_run)  # type: ignore[attr-defined]
        if self.is_dry:
            self._temporary = TemporaryDirectory(prefix="layerscope_", ignore_cleanup_errors=True)
            self.path = Path(trainer.strategy.broadcast(self._temporary.name))
            return
        asked = log_dir or trainer.log_dir or trainer.default_root_dir
        folder = local_folder(trainer.strategy.broadcast(asked))
        logger = trainer.logger
        shares = isinstance(logger, EventLogger) and is_same_folder(logger.log_dir, folder)
        refused = ""
        if trainer.is_global_zero:
            named = shares or log_dir is not None
            try:
                self._claimed = claim(folder, door, resumes=resumes, named=named)
                folder = self._claimed.path
            except ValueError as error:
                refused = str(error)
            except OSError:  # told when the files are opened; training goes on
                _log.debug("%s: %s cannot be claimed", door.name, folder, exc_info=True)
        self.path, refused = trainer.strategy.broadcast((folder, refused))
        if refused:
            raise ValueError(refused)
        if isinstance(logger, EventLogger) and shares and leads:
            logger.move_to(self.path)

    def events_of(self, trainer: pl.Trainer) -> EventFile | None:
        """The logger's event file, if it lies here: TensorBoard follows one growing file a run.

        None on other ranks than 0, which write nothing.
        """
        logger = trainer.logger
        if not isinstance(logger, EventLogger) or not trainer.is_global_zero:
            return None
        return logger.events if is_same_folder(logger.log_dir, self.path) else None

    def release(self) -> None:
        """Let others have the folder, or remove it where nothing is to be left."""
        if self._claimed is not None:
            self._claimed.release()
            self._claimed = None
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None
