"""How a run stands: as status.json says, or its lock and its diagnosis, where a loop made it."""

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


def _as_diagnosed(folder: Path) -> str:
    try:
        state = read_json(folder / DIAGNOSIS)["state"]
    except (OSError, ValueError, LookupError, TypeError):  # none, torn, or of an earlier version
        return "unknown"
    return state if state in ENDS else "unknown"
