"""How a run stands: as status.json says, or its lock and its diagnosis, where a loop made it."""

from collections.abc import Callable
from pathlib import Path

from layerscope.process_identity import ProcessIdentity
from layerscope.run_lock import holder_of
from layerscope.whole_file import read_json

DIAGNOSIS = "diagnosis.json"
ENDS = ("finished", "interrupted")
"""What a diagnosis can say of the training: it went to its end, or an exception has ended it."""


def state_of(folder: Path, told: str | None, process: ProcessIdentity | None) -> str:
    """One of `STATES` of `lab.status`; "died" where a run is going on whose process has ended
    without a word; "unknown" of one that has left neither status.json nor diagnosis.json, or from
    which the instrument was taken.

    Args:
        told: the state in its status.json; None without one.
        process: that status.json names, likewise.
    """
    if told is None:
        process = holder_of(folder)
        told = _as_diagnosed(folder) if process is None else "running"
    return "died" if told == "running" and process is not None and process.has_ended else told


def unfinished(folder: Path, last_step: Callable[[], int]) -> str | None:
    """How far a run has come that has not trained to its end, in a sentence; None of any other.

    Whoever holds a run's folder tells so in it, and takes that away at the end.

    Args:
        last_step: gives the last one on the disk; not asked of a run that has come to its end.
    """
    if (holder := holder_of(folder)) is not None:
        if holder.has_ended:
            return f"the run died at step {last_step()}: its process has ended without a word"
        return f"the run goes on: this is what its steps up to {last_step()} show"
    try:
        state = read_json(folder / DIAGNOSIS)["state"]
    except (OSError, ValueError, LookupError, TypeError):  # none, torn, or of an earlier version
        return None
    told = {
        "interrupted": "the run was interrupted after step",
        "unknown": "the watching failed, and the training went on without it, after step",
    }
    return f"{told[state]} {last_step()}" if state in told else None


def _as_diagnosed(folder: Path) -> str:
    try:
        state = read_json(folder / DIAGNOSIS)["state"]
    except (OSError, ValueError, LookupError, TypeError):  # none, torn, or of an earlier version
        return "unknown"
    return state if state in ENDS else "unknown"
