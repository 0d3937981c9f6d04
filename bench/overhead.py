"""What watching every layer at every step costs, beside doing without and beside a peer.

    python bench/overhead.py --threads 1 --nets notebook deep wide

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
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from peers import SummaryWriterMonitor
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.nn.functional import cross_entropy

from layerscope import LayerMonitor
from layerscope.lab.init import InitScheme, variance_scaling
from layerscope.lab.mlp import MLP

CONTEXT, CLASSES = 3, 27


@dataclass(frozen=True, slots=True)
class Net:
    """A net of the table: hidden layers of tanh over an embedded context of three characters."""

    depth: int
    width: int
    batch: int
    steps: int


NETS = {
    "notebook": Net(depth=3, width=100, batch=32, steps=300),
    "deep": Net(depth=10, width=512, batch=256, steps=36),
    "wide": Net(depth=20, width=1024, batch=256, steps=10),
}


class TimedBatches:
    """The same batch, `steps` times; notes when each was asked for."""

    def __init__(self, net: Net) -> None:
        generator = torch.Generator().manual_seed(1)
        self.batch = (
            torch.randint(CLASSES, (net.batch, CONTEXT), generator=generator),
            torch.randint(CLASSES, (net.batch,), generator=generator),
        )
        self.steps = net.steps
        self.asked: list[float] = []

    def __len__(self) -> int:
        """Return the number of steps."""
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batch, noting the time."""
        for _ in range(self.steps):
            self.asked.append(time.perf_counter())
            yield self.batch

    def seconds_per_step(self) -> float:
        """The mean time between two batches: some steps write for many. The first tenth, which
        compiles and opens files, is left out.
        """
        warm = max(2, len(self.asked) // 10)
        return (self.asked[-1] - self.asked[warm]) / (len(self.asked) - 1 - warm)


class Module(LightningModule):
    """The net as Lightning trains it: nothing is logged, so the loop alone is timed."""

    def __init__(self, network: MLP) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Return the loss."""
        return cross_entropy(self.network(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW as the project's default."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def build(net: Net) -> MLP:
    """A freshly initialised net, the same at every call."""
    network = MLP(CLASSES, CONTEXT, CLASSES, depth=net.depth, width=net.width)
    InitScheme(variance_scaling(1.0, "fan_in", "normal"))(network, torch.Generator().manual_seed(0))
    return network


def bare(net: Net) -> float:
    """Seconds per step of a plain PyTorch loop."""
    network, batches = build(net), TimedBatches(net)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for contexts, targets in batches:
        loss = cross_entropy(network(contexts), targets)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return batches.seconds_per_step()


def lightning(net: Net, *callbacks: Callback) -> float:
    """Seconds per step of Lightning's fit with these callbacks."""
    batches = TimedBatches(net)
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(build(net)), batches)
    return batches.seconds_per_step()


def variants(folder: Path, peer: bool, weights: bool) -> dict[str, Callable[[Net], float]]:
    """What is timed, by the name of its row; the second is what the others are compared with."""
    quantities = ["activation", "activation_grad", "weight_grad", *(["weight"] if weights else [])]
    timed: dict[str, Callable[[Net], float]] = {
        "bare PyTorch loop": bare,
        "Lightning": lightning,
        "Lightning + LayerMonitor": lambda net: lightning(
            net, LayerMonitor(log_dir=str(folder / "layerscope"), quantities=quantities)
        ),
    }
    if peer:
        timed["Lightning + add_histogram"] = lambda net: lightning(
            net, SummaryWriterMonitor(folder / "peer", weights)
        )
    return timed


def main() -> None:
    """Time the nets and print one table for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--nets", choices=NETS, nargs="+", default=list(NETS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-peer", action="store_true", help="leave add_histogram out")
    parser.add_argument("--weights", action="store_true", help="measure weights at every step too")
    options = parser.parse_args()

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    console = Console()
    for threads in options.threads:
        torch.set_num_threads(threads)
        what = "activations, gradients and weights" if options.weights else "activations, gradients"
        table = Table(
            title=f"{what} of every layer at every step, {threads} torch thread(s)",
            title_justify="left",
        )
        for name in ("net", "variant", "ms per step", "ratio to Lightning", "least to greatest"):
            table.add_column(name, justify="left" if name in ("net", "variant") else "right")
        for name in options.nets:
            rounds = []
            for _ in track(range(options.rounds + 1), f"{name}, {threads} thread(s)"):
                with tempfile.TemporaryDirectory() as folder:
                    timed = variants(Path(folder), not options.no_peer, options.weights)
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
