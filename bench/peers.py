"""What people write today for the same view, or a part of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.tensorboard import SummaryWriter

from layerscope.record import choose_layers


class _Hooks(Callback):
    """Hands each layer's output, its gradient and its weight's gradient to `_measure`."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the hooks on."""
        self.layers = choose_layers(pl_module)
        self.step = 0
        self.handles = [
            layer.module.register_forward_hook(self._hook(layer.name)) for layer in self.layers
        ]

    def _measure(self, quantity: str, layer: str, values: Tensor) -> None:
        raise NotImplementedError

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def measure_gradient(grad: Tensor) -> None:
            self._measure("activation_grad", name, grad)

        def measure_output(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self._measure("activation", name, output)
            output.register_hook(measure_gradient)  # type: ignore[no-untyped-call]

        return measure_output

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Measure the weight gradients."""
        for layer in self.layers:
            for name, parameter in layer.parameters:
                if name == "weight" and parameter.grad is not None:
                    self._measure("weight_grad", layer.name, parameter.grad)
        self.step += 1

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the hooks off."""
        for handle in self.handles:
            handle.remove()


class SummaryWriterMonitor(_Hooks):
    """`SummaryWriter.add_histogram` for the quantities of LayerMonitor, on the same layers."""

    def __init__(self, folder: Path) -> None:
        self.writer = SummaryWriter(str(folder))

    def _measure(self, quantity: str, layer: str, values: Tensor) -> None:
        self.writer.add_histogram(f"{quantity}/{layer}", values, self.step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the file too."""
        super().on_train_end(trainer, pl_module)
        self.writer.close()


class HistcHooks(_Hooks):
    """`torch.histc` with 30 buckets for the same quantities: counts alone, which nobody writes."""

    def __init__(self) -> None:
        self.counts: dict[str, Tensor] = {}

    def _measure(self, quantity: str, layer: str, values: Tensor) -> None:
        self.counts[f"{quantity}/{layer}"] = torch.histc(values.detach(), 30)


class WandbWatch(Callback):
    """`wandb.watch` of all parameters and their gradients at every step, offline.

    It sees no outputs, and no gradients of outputs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open a run, and put the hooks on."""
        import wandb

        settings = wandb.Settings(console="off", silent=True, x_disable_stats=True)
        self.run = wandb.init(mode="offline", dir=str(self.folder), settings=settings)
        self.run.watch(pl_module, log="all", log_freq=1)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Write what the hooks have gathered."""
        self.run.log({"step": trainer.global_step})

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the run."""
        self.run.finish()
