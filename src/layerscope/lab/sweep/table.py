"""The table of jobs at the end of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from layerscope.lab.status import RunStatus
from layerscope.lab.sweep.outcome import Job

# Told apart by their sign as well as their colour.
_MARKS = {
    "finished": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "interrupted": ("!", "yellow"),
    "not started": ("·", "yellow"),
}


def table_of_jobs(jobs: Sequence[Job]) -> Table:
    """One row per job: its state, val/loss in nats and seconds."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("job", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("val/loss", justify="right", no_wrap=True)
    table.add_column("s", justify="right", no_wrap=True)
    for job in jobs:
        state, status = _state(job), job.status
        mark, style = _MARKS[state]
        table.add_row(Text(job.name), Text(f"{mark} {state}", style=style), *_numbers(status))
    return table


def summary(jobs: Sequence[Job]) -> str:
    """How many jobs have come to which end, such as `11 finished, 1 failed`."""
    counts = {state: sum(_state(job) == state for job in jobs) for state in _MARKS}
    kept = sum(job.kept for job in jobs)
    words = {state: f"{count} {state}" for state, count in counts.items() if count}
    if kept:
        words["finished"] += f" ({kept} before)"
    return ", ".join(words.values()) or "none"


def reasons(jobs: Sequence[Job]) -> list[str]:
    """A line for each job of which there is more to say: why it failed, or what the monitor met."""
    lines = []
    for job in jobs:
        status = job.status
        reason = job.problem or (status.reason if status else None)
        if reason:
            lines.append(f"{job.name}: {reason.splitlines()[0]}")
    return lines


def _state(job: Job) -> str:
    status = job.status
    if job.problem is not None and not job.finished:
        return "not started" if status is None or status.state == "finished" else status.state
    if status is None:
        return "not started"
    return "failed" if status.state == "running" else status.state


def _numbers(status: RunStatus | None) -> tuple[str, str]:
    if status is None:
        return "–", "–"
    loss = "–" if status.val_loss is None else f"{status.val_loss:.4f}"
    return loss, f"{status.seconds:.1f}"
