"""What watching units costs, beside torch's own reductions and beside the histogram.

    python bench/units.py --threads 1

Each round times every contender on the same tensor, one after the other in this process, so that
what else the machine does falls on all alike; figures are those of the fastest round, since it can
only add to them. Tensors are found in the cache, where they fit, as right after they were computed.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from command_line import at_least_one
from rich.console import Console
from rich.table import Table
from torch import Tensor

from layerscope.commands.one_sentence_parser import OneSentenceParser
from layerscope.measure import Tally
from layerscope.measure.row_options import RowOptions
from layerscope.measure.units import UnitTally

TANH = (-0.97, 0.97)
SHAPES = (
    (32, 100),
    (32, 27),
    (256, 512),
    (1024, 1024),
    (16384, 1024),
    (4096, 10),
    (32, 64, 7, 7),
    (32, 64, 32, 32),
)
KINDS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}
SAMPLE_SECONDS = 0.001  # short: some samples then fall between what else the machine does


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Mean seconds per call."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def interleaved(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds per call in the fastest round, by name."""
    repeats = {}
    for name, call in calls.items():
        seconds(call, 2)  # compiles, and fills caches
        repeats[name] = max(1, round(SAMPLE_SECONDS / seconds(call, 3)))
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(seconds(call, repeats[name]))
    return {name: min(samples) for name, samples in taken.items()}


def contenders(x: Tensor) -> dict[str, Callable[[], object]]:
    """What is timed on one tensor; ours first."""
    axis = 1 if x.ndim == 4 else -1
    others = [i for i in range(x.ndim) if i != axis % x.ndim]
    units, histogram = UnitTally(1, [TANH], 1000), Tally(RowOptions(1, [TANH]))
    return {
        "units": lambda: units.add(0, x, axis),
        "amax": lambda: x.amax(others),
        "amax, amin": lambda: (x.amax(others), x.amin(others)),
        "and any active": lambda: (
            x.amax(others),
            x.amin(others),
            (x.abs() < TANH[1]).movedim(axis, -1).flatten(0, -2).any(0),
        ),
        "histogram": lambda: histogram.add(0, x),
    }


def seconds_to_read(rows: int, units: int, rounds: int) -> float:
    """Seconds of the fastest reading, right after its rows were filled."""
    tally, x, taken = UnitTally(rows, [TANH] * rows, 1000), torch.randn(4, units), []
    for step in range(rounds):
        for row in range(rows):
            tally.add(row, x, -1)
        taken.append(seconds(lambda step=step: tally.read(step).get(), 1))  # type: ignore[misc]
    return min(taken)


def main() -> None:
    """Time all and print two tables."""
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--threads", type=at_least_one, default=1)
    parser.add_argument("--rounds", type=at_least_one, default=25)
    parser.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    table = Table(
        title=f"adding, {options.threads} thread(s); x: times what units take", title_justify="left"
    )
    for name in ("kind", "shape", "us a call", "ns an element"):
        table.add_column(name, justify="right")
    others = list(contenders(torch.zeros(2, 2)))[1:]
    for name in others:
        table.add_column(name, justify="right")
    for kind in options.kinds:
        for shape in SHAPES:
            x = torch.tanh(2 * torch.randn(shape)).to(KINDS[kind])
            taken = interleaved(contenders(x), options.rounds)
            ours = taken["units"]
            ratios = [taken[name] / ours for name in others]
            figures = [f"{1e6 * ours:.2f}", f"{1e9 * ours / x.numel():.3f}"]
            named = "x".join(map(str, shape))
            table.add_row(kind, named, *figures, *(f"{ratio:.2f} x" for ratio in ratios))
    Console(width=140).print(table)
    for rows, units in ((1, 10), (6, 100), (20, 512), (20, 4096)):
        read = seconds_to_read(rows, units, 200)
        per_unit = 1e9 * read / rows / units
        print(
            f"reading {rows} rows of {units} units: {1e6 * read:.1f} us, {per_unit:.2f} ns a unit"
        )


if __name__ == "__main__":
    main()
