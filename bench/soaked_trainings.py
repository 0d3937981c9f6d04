"""How a long, a deep and a wide training is borne: each a measurement of this process."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import nn

import layerscope

_PARTS = 200  # of a long training: watched and alone in turns
_TENTH = _PARTS // 10


class Row(NamedTuple):
    """One thing that was measured."""

    what: str
    measured: str
    bound: str
    holds: bool


def resident() -> float:
    """The memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def megabytes(folder: Path) -> float:
    """Of all that a run has written."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def steps_in(folder: Path) -> int:
    """How many steps of a run are on the disk."""
    figures = layerscope.read(folder).figures
    return 0 if figures is None else len(figures.steps)


def chain(layers: int, width: int) -> nn.Sequential:
    """Linear layers of equal width, with a tanh after each."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(each for _ in range(layers) for each in (nn.Linear(width, width), nn.Tanh()))
    )


def steps_of(
    net: nn.Module, batch: torch.Tensor, watcher: layerscope.Watcher | None = None
) -> Iterator[None]:
    """Train without an end, a step for each value; the watcher sees them all."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    while True:
        optimizer.zero_grad()
        loss = net(batch).square().mean()
        loss.backward()
        optimizer.step()
        if watcher is not None:
            watcher.step(loss)
        yield


def train(net: nn.Module, batch: torch.Tensor, steps: int, folder: Path, **settings: Any) -> None:
    """Train and watch."""
    with layerscope.watch(net, folder, summary=False, **settings) as watcher:
        training = steps_of(net, batch, watcher)
        for _ in range(steps):
            next(training)


def long(steps: int, folder: Path) -> list[Row]:
    """Whether memory, the processor's time and bytes per step are flat.

    The same training alone takes turns with the watched one: what else the machine does slows both.
    """
    batch = torch.randn(32, 32)
    each = max(steps // _PARTS, 1)
    ratios, memory, files = [], [], []
    net = chain(3, 32)
    with layerscope.watch(net, folder, summary=False, max_megabytes=1e6) as watcher:
        both = (steps_of(net, batch, watcher), steps_of(chain(3, 32), batch))
        for _ in range(_PARTS):
            seconds = []
            for training in both:
                begun = time.process_time()
                for _ in range(each):
                    next(training)
                seconds.append(time.process_time() - begun)
            ratios.append(seconds[0] / seconds[1])
            memory.append(resident())
            files.append(megabytes(folder))
    first, last = median(ratios[:_TENTH]), median(ratios[-_TENTH:])
    grown = memory[-1] / memory[_TENTH]
    # From the second part on: many keyframes lie in the first.
    early = (files[_TENTH] - files[_TENTH // 2]) / (_TENTH - _TENTH // 2)
    late = (files[-1] - files[-_TENTH - 1]) / _TENTH
    return [
        Row(
            f"{steps} steps: the processor's time, times that of the training alone",
            f"{first:.2f} in the first tenth, {last:.2f} in the last",
            "5 % more",
            last <= 1.05 * first,
        ),
        Row(
            "memory",
            f"{memory[_TENTH]:.0f} MB after a tenth, {memory[-1]:.0f} at the end",
            "5 % more",
            grown <= 1.05,
        ),
        Row(
            "files, per 1,000 steps",
            f"{1000 * early / each:.2f} MB, then {1000 * late / each:.2f}; {files[-1]:.0f} in all",
            "5 % more",
            late <= 1.05 * early,
        ),
    ]


def deep(layers: int, folder: Path) -> list[Row]:
    """What a watched layer takes of memory, beside the same training alone."""
    batch = torch.randn(32, 32)
    train(chain(3, 32), batch, 20, folder / "small")  # what is imported and compiled once
    alone = steps_of(chain(layers, 32), batch)
    for _ in range(20):
        next(alone)
    before = resident()
    train(chain(layers, 32), batch, 20, folder / "deep")
    taken, most = resident() - before, max(0.3 * layers, 300.0)  # see measure/cpu/table.py
    return [
        Row(
            f"memory of {layers} watched layers",
            f"{taken:.0f} MB, {taken / layers:.2f} each",
            f"{most:.0f} MB",
            taken < most,
        )
    ]


def thinned(layers: int, folder: Path) -> list[Row]:
    """Whether no step is left out within `max_megabytes`, and beyond it what is written fits."""
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("layerscope").addHandler(handler)
    batch, steps = torch.randn(8, 32), 55
    train(chain(layers, 32), batch, steps, folder / "all")
    whole, size = steps_in(folder / "all"), megabytes(folder / "all")
    said = [each for each in told if "max_megabytes" in each]
    few, most = 3 * steps, max(1.5 * size, 1.0)
    train(chain(layers, 32), batch, few, folder / "few", max_megabytes=most)
    left = steps_in(folder / "few")
    size_of_few = sum(f.stat().st_size for f in (folder / "few").rglob("*tfevents*")) / 1e6
    said_then = [each for each in told if "max_megabytes" in each]
    logging.getLogger("layerscope").removeHandler(handler)
    return [
        Row(
            f"{layers} layers within max_megabytes=500",
            f"{whole} of {steps} steps, {size:.0f} MB",
            "all",
            whole == steps and not said,
        ),
        Row(
            f"the same with max_megabytes={most:.0f}",
            f"{left} of {few} steps, {size_of_few:.0f} MB, {len(said_then)} warning",
            "fits, and says so",
            size_of_few <= most and len(said_then) == 1,
        ),
    ]


def wide(elements: int, folder: Path) -> list[Row]:
    """What a layer of very many weights takes."""
    train(chain(3, 32), torch.randn(32, 32), 20, folder / "small")
    inputs = min(1_000, elements)
    net = nn.Sequential(nn.Linear(inputs, elements // inputs, bias=False), nn.Tanh())
    weight, before = 4 * elements / 1e6, resident() - 4 * elements / 1e6
    begun = time.process_time()
    train(net, torch.randn(4, inputs), 3, folder / "wide")
    seconds = (time.process_time() - begun) / 3
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6 - before
    # The weights, their gradient, the copy that the update is measured from, and the update.
    return [
        Row(
            f"memory of a layer of {elements:,} weights, at most",
            f"{most:.0f} MB, {seconds:.1f} s of the processor a step",
            f"{4 * weight + 300:.0f} MB",
            most <= 4 * weight + 300,
        )
    ]
