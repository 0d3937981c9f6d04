"""What a report costs: 36 runs of 2,000 steps, each with every histogram of every step.

    python bench/report.py [--runs 36] [--steps 2000] [--depth 5]

Writes made-up runs into a temporary folder, 18 MB each, then reads, compares and draws them.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from command_line import at_least_one

from layerscope.commands.one_sentence_parser import OneSentenceParser
from layerscope.comparison import compare, write_comparison
from layerscope.report import write_report

sys.path.insert(0, str(Path(__file__).parent.parent))  # the runs are the tests'
from tests.runs import Made

INITS = ("random", "kaiming", "xavier", "critical")
ACTIVATIONS = ("tanh", "relu", "leaky_relu")


def main() -> None:
    """Print seconds, megabytes and the most memory."""
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=at_least_one, default=36)
    parser.add_argument("--steps", type=at_least_one, default=2000)
    parser.add_argument("--depth", type=at_least_one, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = range(-(-options.runs // (len(INITS) * len(ACTIVATIONS))))
        for seed, init, activation in list(product(seeds, INITS, ACTIVATIONS))[: options.runs]:
            Made(init, activation, seed, steps=options.steps, depth=options.depth).write(folder)
        events = sum(path.stat().st_size for path in folder.rglob("*tfevents*"))
        times = [time.perf_counter()]
        comparison = compare(folder)
        times.append(time.perf_counter())
        write_comparison(comparison, folder)
        page = write_report(folder, comparison)
        times.append(time.perf_counter())
        megabytes = page.stat().st_size / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{options.runs} runs x {options.steps} steps x {options.depth} hidden layers")
    print(f"event files  {events / 1e6:8.1f} MB")
    print(f"compare      {times[1] - times[0]:8.2f} s")
    print(f"report       {times[2] - times[1]:8.2f} s")
    print(f"page         {megabytes:8.2f} MB")
    print(f"memory       {most:8.0f} MB at most")


if __name__ == "__main__":
    main()
