"""A resumed run draws the random numbers that it would have drawn."""

import random
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch


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
