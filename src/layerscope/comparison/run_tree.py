"""All runs in a folder, however deep."""

from __future__ import annotations

import os
from pathlib import Path

from layerscope.comparison.run import Run
from layerscope.comparison.run_folder import run_of
from layerscope.events.reader import CorruptEventFileError

# keyframes: step_log.KEYFRAMES, whose import would take PyTorch along.
_NO_RUNS_IN = {"keyframes", "checkpoints", ".hydra", ".git"}


def runs_in(folder: Path) -> tuple[tuple[Run, ...], tuple[str, ...]]:
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
