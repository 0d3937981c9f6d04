"""A job of a sweep and what has become of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from layerscope.lab.status import RunStatus


@dataclass(frozen=True)
class Job:
    """A job of a sweep.

    Attributes:
        number: its place in the sweep, from 0.
        folder: where it runs; its name says what sets it apart from the others.
        overrides: key=value of each key that the command line or a search sets.
        fingerprint: of its config, as in its status; None if it cannot be composed.
        problem: why it cannot start; None if it can.
        kept: whether it had finished before this sweep began, and was not run again.
    """

    number: int
    folder: Path
    overrides: tuple[str, ...] = field(default=())
    fingerprint: str | None = None
    problem: str | None = None
    kept: bool = False

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def status(self) -> RunStatus | None:
        """What its status.json says now; None if the job has not started."""
        return RunStatus.read(self.folder)

    @property
    def finished(self) -> bool:
        """Whether it has finished with this config."""
        status = self.status
        return (
            status is not None
            and status.state == "finished"
            and status.fingerprint == self.fingerprint
        )
