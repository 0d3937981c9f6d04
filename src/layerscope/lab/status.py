"""How a run ended, as a file that is either whole or not there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from layerscope.arguments import at_least, one_of
from layerscope.lab.signature import check_arguments
from layerscope.process_identity import ProcessIdentity
from layerscope.whole_file import read_json, write_whole

STATES = ("running", "finished", "failed", "interrupted")
NAME = "status.json"
REFUSED = "refused: "
"""What the reason of a run begins with that has finished with a finding which is refused."""


@dataclass(frozen=True)
class RunStatus:
    """The contents of a run folder's status.json.

    Args:
        state: running, finished, failed or interrupted.
        reason: why, in one sentence; None where there is nothing to say.
        val_loss: the last `val/loss`, nats per character; None where there is none.
        seconds: wall-clock time of the run.
        steps: optimizer steps taken.
        fingerprint: of the config: two runs with the same one were asked the same. None if unknown.
        overrides: what was typed after `python train.py` to get that config.
        versions: of what a run's figures depend on, by name.
        process: that runs it, or ran it; None if unknown.

    Raises:
        ValueError: an unknown state, or steps below 0.
    """

    state: str
    reason: str | None = None
    val_loss: float | None = None
    seconds: float = 0.0
    steps: int = 0
    fingerprint: str | None = None
    overrides: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    process: ProcessIdentity | None = None

    def __post_init__(self) -> None:
        one_of(STATES, state=self.state)
        at_least(0, steps=self.steps)

    @property
    def refused(self) -> bool:
        """Whether the run has finished, and monitor.fail_on refuses a finding of it."""
        return self.state == "finished" and (self.reason or "").startswith(REFUSED)

    @classmethod
    def read(cls, folder: Path) -> RunStatus | None:
        """The status that a run left in `folder`; None if there is none, or none that can be read.

        A loss that was not finite comes back as None; `reason` tells of it.
        """
        try:
            contents = read_json(folder / NAME)
            contents["val_loss"] = contents.pop("val/loss")
            contents["seconds"] = contents.get("seconds") or 0.0
            contents["overrides"] = tuple(contents.get("overrides", ()))
            contents["process"] = ProcessIdentity.of_json(contents.get("process"))
            check_arguments(cls, contents)
            return cls(**contents)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def as_json(self) -> str:
        """Return the JSON text; a number that is not finite becomes null and is told in `reason`.

        JSON has no NaN, and readers other than Python's refuse it.
        """
        numbers = {"val/loss": self.val_loss, "seconds": self.seconds}
        broken = {key: n for key, n in numbers.items() if n is not None and not isfinite(n)}
        sentences = [self.reason] if self.reason else []
        sentences += [f"{key} is {number}." for key, number in broken.items()]
        numbers |= dict.fromkeys(broken)
        contents = {
            "state": self.state,
            "reason": " ".join(sentences) or None,
            **numbers,
            "steps": self.steps,
            "fingerprint": self.fingerprint,
            "overrides": self.overrides,
            "versions": self.versions,
            "process": None if self.process is None else self.process.as_json(),
        }
        return json.dumps(contents, indent=2, allow_nan=False) + "\n"

    def write(self, folder: Path) -> None:
        """Replace `folder`/status.json atomically: a reader, or a crash, sees the old or the new.

        Raises:
            OSError: the folder cannot be written.
        """
        write_whole(folder / NAME, self.as_json())
