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

from layerscope.arguments import at_least
from layerscope.lab.data.batches import Batch
from layerscope.lab.data.vocabulary import BOUNDARY, Vocabulary
from layerscope.lab.mlp import MLP


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


@torch.no_grad()
def sample(
    network: nn.Module,
    context_length: int,
    symbols: int,
    count: int,
    generator: torch.Generator,
    limit: int,
) -> Tensor:
    """Return int64 [count, limit] on the CPU: indices below `symbols`, then boundaries to the end.

    Logits from `symbols` on stand for nothing and are left out: the notebook has 27 for 21 symbols.
    All items grow together, one forward pass a character. The first character is never the
    boundary, since no item is empty; an item that has not ended after `limit` characters is cut.
    Draws from `generator`, on the CPU, alone, so a seed gives the same items on every device.

    Raises:
        ValueError: a count or limit is below 1, or the logits are not finite.
    """
    at_least(1, count=count, limit=limit)
    device = next(network.parameters()).device
    indices = torch.full((count, context_length + limit), BOUNDARY)
    ended = torch.zeros(count, dtype=torch.bool)
    for position in range(context_length, context_length + limit):
        context = indices[:, position - context_length : position]
        # Device to host: [count, symbols] each character, outside of training.
        logits = network(context.to(device))[:, :symbols].to("cpu", torch.float32, copy=True)
        if not logits.isfinite().all():
            raise ValueError("the network's logits must be finite to sample from, got NaN or inf")
        if position == context_length:
            logits[:, BOUNDARY] = -torch.inf
        drawn = torch.multinomial(logits.softmax(dim=1), 1, generator=generator).squeeze(1)
        indices[:, position] = drawn.masked_fill(ended, BOUNDARY)
        ended |= drawn == BOUNDARY
        if ended.all():
            break
    return indices[:, context_length:]
