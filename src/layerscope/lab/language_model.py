"""A character-level language model as Lightning trains it."""

from collections.abc import Callable, Iterable
from math import isinf

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from layerscope.lab.data.batches import Batch
from layerscope.lab.data.vocabulary import BOUNDARY, Vocabulary
from layerscope.lab.mlp import MLP
from layerscope.lab.sampling import sample


class LanguageModel(LightningModule):
    """Predicts the next character; all losses are cross-entropies in nats per character.

    Logs `train/loss` at each step, and `val/loss` and `test/loss` as means over all examples.
    Has no Lightning hyperparameters: the run's config says how it was built, and a checkpoint of
    plain tensors loads with `weights_only=True`.

    Args:
        network: contexts int64 [B, context_length] to logits float32 [B, classes].
        vocabulary: what the indices stand for.
        optimizer: called with the parameters.
        scheduler: called with the optimizer and the number of steps of the run, then stepped once
            a step; None keeps the learning rate.
    """

    def __init__(
        self,
        network: MLP,
        vocabulary: Vocabulary,
        optimizer: Callable[[Iterable[nn.Parameter]], Optimizer],
        scheduler: Callable[[Optimizer, int], LRScheduler] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.vocabulary = vocabulary
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler

    def forward(self, contexts: Tensor) -> Tensor:
        """Return logits float32 [B, classes] for contexts int64 [B, context_length]."""
        logits: Tensor = self.network(contexts)
        return logits

    def training_step(self, batch: Batch) -> Tensor:
        """Return the batch's loss, a scalar in nats per character."""
        loss = self._loss(batch)
        # The batch size is given, or Lightning would search the batch for it at each step.
        self.log("train/loss", loss, batch_size=len(batch[1]))
        return loss

    def validation_step(self, batch: Batch) -> None:
        """Log `val/loss`."""
        self._log_mean("val/loss", batch)

    def test_step(self, batch: Batch) -> None:
        """Log `test/loss`."""
        self._log_mean("test/loss", batch)

    def _log_mean(self, name: str, batch: Batch) -> None:
        # Weighted by the batch size, so a short last batch counts for what it holds. Lightning 2.6
        # averages the ranks' weights in whole numbers; multiples of the world size lose nothing.
        weight = len(batch[1]) * self.trainer.world_size
        self.log(name, self._loss(batch), batch_size=weight, sync_dist=True)

    def _loss(self, batch: Batch) -> Tensor:
        contexts, targets = batch
        return cross_entropy(self(contexts), targets)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimizer, and the scheduler over the whole run.

        Raises:
            ValueError: there is a scheduler, and the run has no known end.
        """
        optimizer = self.make_optimizer(self.parameters())
        if self.make_scheduler is None:
            return {"optimizer": optimizer}
        total_steps = self.trainer.estimated_stepping_batches
        if isinf(total_steps):
            raise ValueError(
                "a scheduler needs trainer.max_epochs or trainer.max_steps to be at least 1, "
                "got a run without an end"
            )
        scheduler = self.make_scheduler(optimizer, int(total_steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def made_up(self, count: int, generator: torch.Generator, limit: int = 30) -> list[str]:
        """Return `count` items of 1 to `limit` characters, drawn from the network's distribution.

        Draws from `generator` (on the CPU) alone; the network is in evaluation mode meanwhile.

        Raises:
            ValueError: a count or limit is below 1, or the logits are not finite.
        """
        was_training = self.network.training
        self.network.eval()
        try:
            drawn = sample(
                self.network,
                self.network.context_length,
                len(self.vocabulary),
                count,
                generator,
                limit,
            )
        finally:
            self.network.train(was_training)
        rows = ([index for index in row if index != BOUNDARY] for row in drawn.tolist())
        return [self.vocabulary.decode(row) for row in rows]
