"""How resident memory grows while every step of a long run is logged.

    python bench/memory.py

Trains the notebook's net with LayerMonitor for 10,000 steps and prints the resident memory at some
of them. It reads /proc, so it runs on Linux.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from nets import NETS
from training import Batches, Module

from layerscope import LayerMonitor
from layerscope.commands.one_sentence_parser import OneSentenceParser

STEPS = 10_000
SHOWN = (1, 10, 100, 1_000, 2_000, 4_000, 6_000, 8_000, STEPS)


class ResidentMemory(Callback):
    """Prints the resident memory of this process at the steps SHOWN, in 10**6 bytes."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Read it from the kernel."""
        if trainer.global_step in SHOWN:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
            print(f"step {trainer.global_step:6,}: {pages * 4096 / 1e6:7.1f} MB")


def main() -> None:
    """Train and print."""
    OneSentenceParser(description=__doc__.split("\n\n")[0]).parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    torch.set_num_threads(1)
    net = NETS["notebook"]
    batches = Batches(net.batch_on("cpu"), STEPS, lambda _: None)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            callbacks=[LayerMonitor(log_dir=folder), ResidentMemory()],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Module(net.build()), batches)


if __name__ == "__main__":
    main()
