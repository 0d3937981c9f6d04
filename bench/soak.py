"""How a long, a deep and a wide training is borne: memory, time of the processor and bytes.

    python bench/soak.py long --steps 200000
    python bench/soak.py deep --layers 1000
    python bench/soak.py wide --elements 100000000

Each prints a line that docs/reliability.md quotes. `nice -n 19` leaves the machine to others.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

import layerscope

TENTHS = 10


def resident() -> float:
    """The memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def chain(layers: int, width: int) -> nn.Sequential:
    """Linear layers of equal width, with a tanh after each."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(each for _ in range(layers) for each in (nn.Linear(width, width), nn.Tanh()))
    )


def trained(
    net: nn.Module, steps: int, batch: torch.Tensor, folder: Path | None
) -> list[tuple[float, float]]:
    """Train, watched if there is a folder; the processor's seconds and the MB after each tenth."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    watcher = None if folder is None else layerscope.watch(net, folder, summary=False).start()
    marks, begun = [], time.process_time()
    for step in range(steps):
        optimizer.zero_grad()
        loss = net(batch).square().mean()
        loss.backward()
        optimizer.step()
        if watcher is not None:
            watcher.step(loss)
        if (step + 1) % max(steps // TENTHS, 1) == 0:
            marks.append((time.process_time() - begun, resident()))
            begun = time.process_time()
    if watcher is not None:
        watcher.close()
    return marks


def megabytes(folder: Path) -> float:
    """Of all that a run has written."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def soak_long(steps: int, folder: Path) -> str:
    """Whether memory and time per step are flat: the last tenth beside the second."""
    marks = trained(chain(3, 32), steps, torch.randn(32, 32), folder)
    (first, before), (last, after) = marks[1], marks[-1]
    each = steps // TENTHS
    return (
        f"{steps} steps: {1e6 * first / each:.0f} us of the processor a step in the second tenth, "
        f"{1e6 * last / each:.0f} in the last; {before:.0f} MB, then {after:.0f}; "
        f"{megabytes(folder):.0f} MB of files"
    )


def soak_deep(layers: int, folder: Path) -> str:
    """What a watched layer takes of memory, beside the same training alone."""
    batch = torch.randn(32, 32)
    alone = trained(chain(layers, 32), 20, batch, None)[-1][1]
    watched = trained(chain(layers, 32), 20, batch, folder)[-1][1]
    return (
        f"{layers} layers: {watched - alone:.0f} MB more than {alone:.0f}, "
        f"{(watched - alone) / layers:.2f} MB a layer"
    )


def soak_wide(elements: int, folder: Path) -> str:
    """What a layer of very many weights takes."""
    net = nn.Sequential(nn.Linear(1000, elements // 1000, bias=False), nn.Tanh())
    before = resident()
    seconds, after = trained(net, 3, torch.randn(4, 1000), folder)[-1]
    return f"a layer of {elements} weights: {seconds:.1f} s a step, {after - before:.0f} MB more"


def main() -> None:
    """Soak as asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("long", "deep", "wide"))
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--layers", type=int, default=1_000)
    parser.add_argument("--elements", type=int, default=100_000_000)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        soak = {
            "long": lambda: soak_long(asked.steps, run),
            "deep": lambda: soak_deep(asked.layers, run),
            "wide": lambda: soak_wide(asked.elements, run),
        }
        print(soak[asked.what](), flush=True)


if __name__ == "__main__":
    main()
