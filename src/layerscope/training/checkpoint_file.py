"""What a training goes on from: a checkpoint, whole or not there, and its random numbers."""

import io
import logging
import os
import random
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
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


class RandomState(pl.Callback):
    """Keeps the states of Python's, NumPy's and torch's generators in each checkpoint."""

    def __init__(self) -> None:
        self._restored: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        """Plain types and tensors: a checkpoint loads with `weights_only=True`."""
        kind, keys, *rest = np.random.get_state()  # noqa: NPY002 # the one that others draw from
        return {
            "python": random.getstate(),
            "numpy": (kind, torch.from_numpy(np.asarray(keys)), *rest),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what `state_dict` gave until training starts."""
        self._restored = state_dict

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on from there, once all has been made that draws random numbers too."""
        state, self._restored = self._restored, {}
        if not state:
            return
        version, keys, gauss = state["python"]
        random.setstate((version, tuple(keys), gauss))
        kind, numbers, *rest = state["numpy"]
        np.random.set_state((kind, numbers.numpy(), *rest))  # noqa: NPY002
        torch.set_rng_state(state["torch"].cpu())
        if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all([each.cpu() for each in state["cuda"]])
