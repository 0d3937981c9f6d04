"""The LayerMonitor that nobody has put into the Trainer by hand."""

import lightning.pytorch as pl

from layerscope.integrations.lightning.monitor import LayerMonitor


class MonitorAskedFor(LayerMonitor):
    """A LayerMonitor that does nothing where the Trainer has another one."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """As LayerMonitor, unless there is another one."""
        if self._is_needed(trainer):
            super().setup(trainer, pl_module, stage)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """As LayerMonitor, unless there is another one."""
        if self._is_needed(trainer):
            super().on_fit_start(trainer, pl_module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """As LayerMonitor, unless there is another one."""
        if self._is_needed(trainer):
            super().on_train_start(trainer, pl_module)

    def _is_needed(self, trainer: pl.Trainer) -> bool:
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        return not any(isinstance(each, LayerMonitor) and each is not self for each in callbacks)
