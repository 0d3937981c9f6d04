"""What people write today for the same view: TensorBoard's own writer in hooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.tensorboard import SummaryWriter

from layerscope.record import choose_layers


class SummaryWriterMonitor(Callback):
    """`SummaryWriter.add_histogram` for the quantities of LayerMonitor, on the same layers."""

    def __init__(self, folder: Path, weights: bool) -> None:
        self.folder = folder
        self.weights = weights

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the hooks on."""
        self.writer = SummaryWriter(str(self.folder))
        self.layers = choose_layers(pl_module)
        self.step = 0
        self.handles = [
            layer.module.register_forward_hook(self._hook(layer.name)) for layer in self.layers
        ]

    def _hook(self, name: str) -> Any:
        def measure_gradient(grad: Tensor) -> None:
            self.writer.add_histogram(f"activation_grad/{name}", grad, self.step)

        def measure_output(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self.writer.add_histogram(f"activation/{name}", output, self.step)
            output.register_hook(measure_gradient)  # type: ignore[no-untyped-call]

        return measure_output

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Log the weight gradients, and the weights if asked for."""
        for layer in self.layers:
            for name, parameter in layer.parameters:
                if name == "weight" and parameter.grad is not None:
                    tag = layer.name
                    self.writer.add_histogram(f"weight_grad/{tag}", parameter.grad, self.step)
                    if self.weights:
                        self.writer.add_histogram(f"weight/{tag}", parameter, self.step)
        self.step += 1

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the hooks off and close the file."""
        for handle in self.handles:
            handle.remove()
        self.writer.close()
