"""Compare all runs of a folder."""

import os
from dataclasses import dataclass
from pathlib import Path

from layerscope.comparison.answer import answer_of
from layerscope.comparison.group import Group, groups_of
from layerscope.comparison.run import LOSSES, Run
from layerscope.comparison.run_folder import run_of
from layerscope.events.reader import CorruptEventFileError


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What the runs of a folder say together.

    Attributes:
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
    if folder.is_file():
        raise NotADirectoryError(f"the runs to compare must be in a folder, got a file: {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"there is no folder {folder}")
    runs, passed_over = _runs_in(folder)
    if not runs:
        why = f" ({'; '.join(passed_over)})" if passed_over else ""
        raise FileNotFoundError(f"there is no run of LayerScope in {folder}{why}")
    logged = [tag for run in runs for tag in run.losses]
    loss = next((tag for tag in (*LOSSES, *logged) if tag in logged), LOSSES[0])
    groups = groups_of(runs)
    return Comparison(folder, loss, groups, answer_of(groups, loss), passed_over)


# keyframes: tensorboard.KEYFRAMES, whose import would take PyTorch along.
_NO_RUNS_IN = {"keyframes", "checkpoints", ".hydra", ".git"}


def _runs_in(folder: Path) -> tuple[tuple[Run, ...], tuple[str, ...]]:
    """Read every run in a folder and below, sorted by name, and say what was passed over.

    A run is a folder with event files that LayerScope wrote, or with a status.json: one that
    failed before its first step has no more. Those of other tools and those that cannot be read
    are passed over, with a line for each. Links are not followed.
    """
    runs, passed_over = [], []
    for path, subfolders, files in os.walk(folder):
        subfolders[:] = sorted(set(subfolders) - _NO_RUNS_IN)
        if not any("tfevents" in name or name == "status.json" for name in files):
            continue
        place = Path(path)
        name = place.relative_to(folder).as_posix() if place != folder else place.resolve().name
        try:
            run = run_of(place, name)
        except (CorruptEventFileError, OSError) as error:
            passed_over.append(f"{name}: {error}")
            continue
        except (ValueError, KeyError, IndexError, TypeError) as error:
            passed_over.append(f"{name}: its figures cannot be read ({error})")
            continue
        if run is None:
            passed_over.append(f"{name}: the run of another tool, without figures of layers")
        else:
            runs.append(run)
    return tuple(runs), tuple(passed_over)
