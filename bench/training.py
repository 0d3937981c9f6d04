"""The ways to train a net whose cost is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from nets import Net
from peers import HistcHooks, SummaryWriterMonitor, WandbWatch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from layerscope import LayerMonitor, watch

Batch = tuple[Tensor, Tensor]


class Batches:
    """The same batch for so many steps; `at_step` is called before each is given out.

    Args:
        batch: contexts and targets.
        steps: how many.
        at_step: is told of the step's number.
    """

    def __init__(self, batch: Batch, steps: int, at_step: Callable[[int], None]) -> None:
        self._batch = batch
        self._steps = steps
        self._at_step = at_step

    def __len__(self) -> int:
        """Return the number of steps."""
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batch."""
        for step in range(self._steps):
            self._at_step(step)
            yield self._batch


class Module(LightningModule):
    """The net as Lightning trains it: nothing is logged, so the loop alone is timed."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: Batch) -> Tensor:
        """Return the loss."""
        return loss_of(self.network, batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW as the project's default."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def loss_of(network: nn.Module, batch: Batch) -> Tensor:
    """Mean cross-entropy over all positions of a batch."""
    logits = network(batch[0])
    return cross_entropy(logits.flatten(0, -2).float(), batch[1].flatten())


def bare(net: Net, batches: Batches, device: str, folder: Path, watched: bool = False) -> None:
    """A plain PyTorch loop, with `watch` or without."""
    network = net.build().to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    watcher = watch(network, folder).start() if watched else None
    for batch in batches:
        loss = loss_of(network, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if watcher is not None:
            watcher.step(loss)
    if watcher is not None:
        watcher.close()


def lightning(net: Net, batches: Batches, device: str, *callbacks: Callback) -> None:
    """Lightning's fit with these callbacks."""
    trainer = Trainer(
        max_epochs=1,
        accelerator=device,
        devices=1,
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(net.build()), batches)


_WEIGHTS = ("activation", "activation_grad", "weight_grad", "weight")

Way = Callable[[Net, Batches, str, Path], None]

WAYS: dict[str, Way] = {
    "bare loop": bare,
    "watch": lambda net, batches, device, folder: bare(net, batches, device, folder, True),
    "Lightning": lambda net, batches, device, _: lightning(net, batches, device),
    "LayerMonitor": lambda net, batches, device, folder: lightning(
        net, batches, device, LayerMonitor(log_dir=str(folder), images=False)
    ),
    "LayerMonitor, weights": lambda net, batches, device, folder: lightning(
        net, batches, device, LayerMonitor(log_dir=str(folder), images=False, quantities=_WEIGHTS)
    ),
    "add_histogram": lambda net, batches, device, folder: lightning(
        net, batches, device, SummaryWriterMonitor(folder)
    ),
    "torch.histc": lambda net, batches, device, _: lightning(net, batches, device, HistcHooks()),
    "wandb.watch": lambda net, batches, device, folder: lightning(
        net, batches, device, WandbWatch(folder)
    ),
}
"""By the name of its row; called with the net, its batches, the device and a folder to write to."""
