"""A checkpoint is written whole or not at all, and a full disk ends no training."""

import io
import logging
import os
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from typing_extensions import override

from layerscope.whole_file import write_whole

_log = logging.getLogger("layerscope")


class CheckpointFile(TorchCheckpointIO):
    """Writes checkpoints as files; one that cannot be written is told of, and training goes on.

    Attributes:
        failure: why the last checkpoint is not there, a sentence; None if it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failure: str | None = None
        self._outdated: list[Any] = []

    @override
    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        """Replace the file at once; what was there stays if that fails."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content.getvalue())
            self.failure = None
        except OSError as error:
            step = checkpoint.get("global_step")
            told = f"the checkpoint of step {step} was not written: {error.strerror}"
            if self.failure is None:
                _log.error("%s; training goes on", told)
            self.failure = told

    @override
    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Remove the best one before, once another one is there in its place."""
        self._outdated.append(path)
        while self.failure is None and self._outdated:
            super().remove_checkpoint(self._outdated.pop())
