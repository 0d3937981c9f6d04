"""Nanoseconds per element of the kernels, beside the memory's limit and beside what else counts.

    python bench/kernels.py --device cpu --sizes 3200 131072 1048576 16777216

Each round times every kernel on the same tensor, one after the other in this process, so that what
else the machine does falls on all alike; the table gives medians over the rounds. A sample repeats
short calls until it has taken some milliseconds, so small tensors are found in the cache, as they
are right after they were computed. A kernel that would take a second or refuses a kind is left out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import product

import torch
from command_line import at_least_one
from contenders import Measure, on_cpu, on_cuda
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from layerscope.commands.one_sentence_parser import OneSentenceParser

KINDS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}
VALUES: dict[str, Callable[[Tensor], Tensor]] = {
    "normal": lambda x: x,
    "ReLU": torch.relu,
    "saturated tanh": lambda x: torch.tanh(8 * x),
}
SIZES = (3_200, 131_072, 1_048_576, 16_777_216)
SAMPLE_SECONDS = 0.004
MOST_SECONDS = 1.0


def seconds_on_cpu(measure: Measure, tensor: Tensor, repeats: int) -> float:
    """Mean seconds per call."""
    start = time.perf_counter()
    for _ in range(repeats):
        measure(tensor)
    return (time.perf_counter() - start) / repeats


def seconds_on_cuda(measure: Measure, tensor: Tensor, repeats: int) -> float:
    """The same on the device, by its own clock."""
    start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    stop = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    start.record()
    for _ in range(repeats):
        measure(tensor)
    stop.record()
    stop.synchronize()
    return float(start.elapsed_time(stop)) / 1e3 / repeats


def time_all(
    measures: dict[str, Measure],
    tensor: Tensor,
    rounds: int,
    seconds: Callable[[Measure, Tensor, int], float],
) -> dict[str, float]:
    """Median seconds per call of each measure that takes such a tensor, by name."""
    repeats = {}
    for name, measure in measures.items():
        try:
            small = seconds(measure, tensor[: min(len(tensor), 65_536)].clone(), 2)
            if small * max(len(tensor) / 65_536, 1) > MOST_SECONDS:
                continue
            seconds(measure, tensor, 1)  # compiles, and fills caches
            repeats[name] = max(1, round(SAMPLE_SECONDS / seconds(measure, tensor, 1)))
        except (TypeError, RuntimeError, NotImplementedError):
            continue
    samples: dict[str, list[float]] = {name: [] for name in repeats}
    for _ in range(rounds):
        for name, count in repeats.items():
            samples[name].append(seconds(measures[name], tensor, count))
    return {name: statistics.median(taken) for name, taken in samples.items()}


def main() -> None:
    """Time the kernels and print one table."""
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=at_least_one, default=1)
    parser.add_argument("--sizes", type=at_least_one, nargs="+", default=list(SIZES))
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--rounds", type=at_least_one, default=9)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    measures, seconds = on_cpu(), seconds_on_cpu
    if options.device == "cuda":
        measures, seconds = on_cuda(), seconds_on_cuda
    table = Table(
        title=f"ns per element, {options.device}, {options.threads} thread(s)", title_justify="left"
    )
    for name in ("kind", "values", "elements", *measures):
        table.add_column(name, justify="left" if name in ("kind", "values") else "right")
    cases = list(product(options.kinds, VALUES, options.sizes))
    for kind, values, size in track(cases, "kernels"):
        normal = torch.randn(size, generator=torch.Generator().manual_seed(0))
        tensor = VALUES[values](normal).to(options.device, KINDS[kind])
        taken = time_all(measures, tensor, options.rounds, seconds)
        figures = [f"{1e9 * taken[name] / size:.3g}" if name in taken else "" for name in measures]
        table.add_row(kind, values, f"{size:,}", *figures, end_section=size == options.sizes[-1])
    Console(width=180).print(table)


if __name__ == "__main__":
    main()
