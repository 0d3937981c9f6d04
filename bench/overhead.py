"""What watching every layer at every step costs, beside doing without and beside a peer.

    python bench/overhead.py --threads 1 --nets notebook deep wide
    python bench/overhead.py --device cuda

Each round trains every variant of a net for some steps, one after the other in this process, so
that what else the machine does falls on all of them alike. A variant's figure is the mean time of
its steps in a round; a ratio is taken within a round, and the table gives the median ratio over the
rounds with its least and greatest. The steps are real: forward, backward, AdamW, on fixed data.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from nets import DEFAULT_NETS, NETS, Net
from peers import SummaryWriterMonitor
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from layerscope import LayerMonitor


class TimedBatches:
    """The same batch, `steps` times; notes when each was asked for.

    On CUDA the steps before have run by then: a step is timed from end to end, not its launches.
    """

    def __init__(self, net: Net, device: str) -> None:
        self.batch = net.batch_on(device)
        self.steps = net.steps
        self.warm_up = net.warm_up
        self.asked: list[float] = []
        self._waits = device == "cuda"

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batch, noting the time."""
        for _ in range(self.steps):
            if self._waits:
                torch.cuda.synchronize()
            self.asked.append(time.perf_counter())
            yield self.batch

    def seconds_per_step(self) -> float:
        """The mean time between two batches, for some steps write for many."""
        return (self.asked[-1] - self.asked[self.warm_up]) / (self.steps - 1 - self.warm_up)


class Module(LightningModule):
    """The net as Lightning trains it: nothing is logged, so the loop alone is timed."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Return the loss."""
        return loss_of(self.network, batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW as the project's default."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def loss_of(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Mean cross-entropy over all positions of a batch."""
    logits = network(batch[0])
    return cross_entropy(logits.flatten(0, -2).float(), batch[1].flatten())


def bare(net: Net, device: str) -> float:
    """Seconds per step of a plain PyTorch loop."""
    network, batches = net.build().to(device), TimedBatches(net, device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for batch in batches:
        loss = loss_of(network, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return batches.seconds_per_step()


def lightning(net: Net, device: str, *callbacks: Callback) -> float:
    """Seconds per step of Lightning's fit with these callbacks."""
    batches = TimedBatches(net, device)
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
    return batches.seconds_per_step()


def variants(
    folder: Path, device: str, peer: bool, weights: bool
) -> dict[str, Callable[[Net], float]]:
    """What is timed, by the name of its row; the second is what the others are compared with."""
    quantities = ["activation", "activation_grad", "weight_grad", *(["weight"] if weights else [])]
    timed: dict[str, Callable[[Net], float]] = {
        "bare PyTorch loop": lambda net: bare(net, device),
        "Lightning": lambda net: lightning(net, device),
        "Lightning + LayerMonitor": lambda net: lightning(
            net, device, LayerMonitor(log_dir=str(folder / "layerscope"), quantities=quantities)
        ),
    }
    if peer:
        timed["Lightning + add_histogram"] = lambda net: lightning(
            net, device, SummaryWriterMonitor(folder / "peer", weights)
        )
    return timed


def main() -> None:
    """Time the nets and print one table for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--device", choices=DEFAULT_NETS, default="cpu")
    parser.add_argument("--nets", choices=NETS, nargs="+", help="by default those of the device")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-peer", action="store_true", help="leave add_histogram out")
    parser.add_argument("--weights", action="store_true", help="measure weights at every step too")
    options = parser.parse_args()

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    console = Console()
    # The host's threads matter little where the device does the work.
    for threads in options.threads if options.device == "cpu" else options.threads[:1]:
        torch.set_num_threads(threads)
        what = "activations, gradients and weights" if options.weights else "activations, gradients"
        table = Table(
            title=f"{what} of every layer at every step, {options.device}, "
            f"{threads} torch thread(s)",
            title_justify="left",
        )
        for name in ("net", "variant", "ms per step", "ratio to Lightning", "least to greatest"):
            table.add_column(name, justify="left" if name in ("net", "variant") else "right")
        for name in options.nets or DEFAULT_NETS[options.device]:
            rounds = []
            for _ in track(range(options.rounds + 1), f"{name}, {threads} thread(s)"):
                with tempfile.TemporaryDirectory() as folder:
                    timed = variants(
                        Path(folder), options.device, not options.no_peer, options.weights
                    )
                    rounds.append({row: time_it(NETS[name]) for row, time_it in timed.items()})
            add_rows(table, name, rounds[1:])  # the first round compiles and fills caches
        console.print(table)


def add_rows(table: Table, net: str, rounds: list[dict[str, float]]) -> None:
    """One row for each variant of a net."""
    table.add_section()
    for variant in rounds[0]:
        ratios = [each[variant] / each["Lightning"] for each in rounds]
        table.add_row(
            net,
            variant,
            f"{1e3 * statistics.median(each[variant] for each in rounds):.3f}",
            f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
        )


if __name__ == "__main__":
    main()
