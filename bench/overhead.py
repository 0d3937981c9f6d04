"""What watching every layer at every step costs, beside doing without and beside peers.

    python bench/overhead.py --threads 1 --nets notebook gpt
    python bench/overhead.py --against HEAD~3
    python bench/overhead.py --beside torch.histc wandb.watch --no-watch
    python bench/overhead.py --device cuda

Each way to train has a process of its own, and they take turns: some steps here, some steps there,
so that what else the machine does falls on all alike. The steps are real: forward, backward, AdamW,
on a fixed batch. A ratio compares the time of a way's steps with that of the same steps without
the instrument, once by the clock and once by the CPU time of all threads: the former is what a user
waits for, the latter tells more on a machine that has other work to do. With `--against`, the
package of another commit trains in turns with the present one, and the change is that between them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from command_line import at_least_one
from in_turns import Ratio, Times, Trainee, in_turns, typical
from nets import DEFAULT_NETS, NETS, WATCHED_NETS
from revision import ROOT, commit_of, source_of
from rich.console import Console
from rich.progress import track
from rich.table import Table

from layerscope.commands.one_sentence_parser import OneSentenceParser

BESIDE = {
    "LayerMonitor": "Lightning",
    "watch": "bare loop",
    "LayerMonitor, weights": "Lightning",
    "add_histogram": "Lightning",
    "torch.histc": "Lightning",
    "wandb.watch": "Lightning",
}
"""What is timed, by its name in `training.WAYS`, and the same training without it."""

ALWAYS = ("LayerMonitor", "watch")


EARLY = 200
"""Up to this step the monitor looks at a network's surroundings ten times as often as later on."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to train, with the present package or with that of the commit compared with."""

    way: str
    before: bool = False


def arguments(typed: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; what is wrong is told in a sentence, with exit code 2."""
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--threads", type=at_least_one, nargs="+", default=[1, 2])
    parser.add_argument("--device", choices=DEFAULT_NETS, default="cpu")
    parser.add_argument("--nets", choices=NETS, nargs="+", help="by default those of the device")
    parser.add_argument("--rounds", type=at_least_one, default=5)
    parser.add_argument("--against", type=commit_of, metavar="REV", help="a commit to time as well")
    peers = [name for name in BESIDE if name not in ALWAYS]
    parser.add_argument("--beside", choices=peers, nargs="+", default=[], help="what else is timed")
    parser.add_argument("--no-watch", action="store_true", help="leave the bare loops out")
    return parser.parse_args(typed)


def main(typed: Sequence[str] | None = None) -> None:
    """Time the nets and print a table for each number of threads."""
    options = arguments(typed)
    nets: list[str] = options.nets or DEFAULT_NETS[options.device]
    ways = ["LayerMonitor", *options.beside, *([] if options.no_watch else ["watch"])]
    console = Console(width=None if sys.stdout.isatty() else 170)
    with ExitStack() as stack:
        before = stack.enter_context(source_of(options.against)) if options.against else None
        trainees: dict[Contender, Trainee] = {}
        # The host's threads matter little where the device does the work.
        for threads in options.threads if options.device == "cpu" else options.threads[:1]:
            table = empty_table(f"{options.device}, {threads} torch thread(s)", options.against)
            for net in track(nets, f"{threads} thread(s)", console=Console(stderr=True)):
                timed = [way for way in ways if way != "watch" or net in WATCHED_NETS]
                contenders = [Contender(each) for way in timed for each in (BESIDE[way], way)]
                if before is not None:
                    contenders += [Contender(way, True) for way in timed if way in ALWAYS]
                for each in contenders:
                    if each not in trainees:
                        source = ROOT / "src" if before is None or not each.before else before
                        trainees[each] = Trainee(each.way, source)
                        stack.callback(trainees[each].close)
                times = in_turns(
                    {each: trainees[each] for each in contenders},
                    *(net, options.device, threads, options.rounds),
                )
                add_rows(table, net, timed, times)
            console.print(table)


def empty_table(title: str, against: str | None) -> Table:
    """The columns; those of the commit that is compared with, where there is one."""
    table = Table(title=f"over the same training without it; {title}", title_justify="left")
    table.add_column("net, steps")
    table.add_column("way")
    table.add_column("ms a step", justify="right")
    for clock in ("wall", "CPU"):
        table.add_column(clock)
        if against:
            table.add_column(f"{clock}, {against[:7]}")
            table.add_column("change")
    return table


def add_rows(table: Table, net: str, ways: list[str], times: dict[Contender, Times]) -> None:
    """One row for each way; where a net's steps go far beyond the 200th, one up to there too."""
    table.add_section()
    ends = NETS[net].block_ends
    parts = [len(ends) - 1]
    if EARLY in ends[:-1]:
        parts.append(ends.index(EARLY))
    for way in ways:
        for blocks in parts:
            without, now, before = (
                None if contender not in times else times[contender].first(blocks)
                for contender in (Contender(BESIDE[way]), Contender(way), Contender(way, True))
            )
            assert without is not None
            assert now is not None
            steps = ends[blocks] - ends[0]
            cells = [f"{net}, {ends[0]} to {ends[blocks]}", way]
            cells.append(f"{1e3 * typical(now.wall) / steps:.3f}")
            for clock in ("wall", "cpu"):
                cells.append(str(Ratio.of(getattr(now, clock), getattr(without, clock))))
                if before is not None:
                    cells.append(str(Ratio.of(getattr(before, clock), getattr(without, clock))))
                    change = Ratio.of(getattr(now, clock), getattr(before, clock))
                    cells.append(change.as_change())
            table.add_row(*cells)


if __name__ == "__main__":
    main()
