"""Compare all runs of a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from layerscope.comparison.answer import answer_of
from layerscope.comparison.group import Group, groups_of
from layerscope.comparison.run import LOSSES, Run
from layerscope.comparison.run_tree import runs_in


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What the runs of a folder say together.

    Attributes:
        folder: that was compared.
        loss: what the groups are ranked by: the first of `LOSSES` that any run has, or the only
            loss that a run has under another name.
        groups: the best first.
        answer: two sentences: which trains best, and which keeps signals best; of one run what
            was found wrong, and its loss and gradient.
        passed_over: a line for each folder that is no run of ours or cannot be read.
    """

    folder: Path
    loss: str
    groups: tuple[Group, ...]
    answer: tuple[str, str]
    passed_over: tuple[str, ...]

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs, failed ones too, group by group."""
        return tuple(run for group in self.groups for run in group.runs)


def compare(folder: Path) -> Comparison:
    """Read the runs in a folder and below, and compare the groups that differ in their settings.

    About 0.1 s for each run of 2,000 steps.

    Raises:
        NotADirectoryError: there is no such folder.
        FileNotFoundError: it holds no run.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"there is no folder {folder}")
    runs, passed_over = runs_in(folder)
    if not runs:
        why = f" ({'; '.join(passed_over)})" if passed_over else ""
        raise FileNotFoundError(f"there is no run of LayerScope in {folder}{why}")
    logged = [tag for run in runs for tag in run.losses]
    loss = next((tag for tag in (*LOSSES, *logged) if tag in logged), LOSSES[0])
    groups = groups_of(runs)
    return Comparison(folder, loss, groups, answer_of(groups, loss), passed_over)
