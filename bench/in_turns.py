"""Trainings in processes of their own that run block by block, one at a time."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

K = TypeVar("K", bound=Hashable)

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of the blocks of a training, of several rounds.

    Attributes:
        wall, cpu: by round, by block.
    """

    wall: list[list[float]]
    cpu: list[list[float]]

    def first(self, blocks: int) -> Times:
        """Of so many blocks at the start."""
        return Times(
            [times[:blocks] for times in self.wall], [times[:blocks] for times in self.cpu]
        )


@dataclass(frozen=True, slots=True)
class Ratio:
    """How one training's time relates to another's: the median of rounds, the least, the greatest.

    In the median each block of steps counts with the median of its times over the rounds, so that
    a block that something else has held up falls out.
    """

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, these: list[list[float]], those: list[list[float]]) -> Self:
        """Of times by round, by block: `these` over `those`."""
        rounds = [sum(this) / sum(that) for this, that in zip(these, those, strict=True)]
        return cls(typical(these) / typical(those), min(rounds), max(rounds))

    def __str__(self) -> str:
        """As in 1.25 (1.22 to 1.31)."""
        return f"{self.median:.2f} ({self.least:.2f} to {self.greatest:.2f})"

    def as_change(self) -> str:
        """As in -3.1 % (-4.0 to -2.2)."""
        median, *bounds = (1e2 * (each - 1) for each in (self.median, self.least, self.greatest))
        return f"{median:+.1f} % ({bounds[0]:+.1f} to {bounds[1]:+.1f})"


def typical(rounds: list[list[float]]) -> float:
    """Seconds of a whole training: over its blocks, the sum of the medians over the rounds."""
    return sum(float(statistics.median(block)) for block in zip(*rounds, strict=True))


class Trainee:
    """A process that trains in one way.

    Args:
        way: a name of `training.WAYS`.
        source: the folder of the package `layerscope` that it is to use.

    Raises:
        RuntimeError: in any method, the process has ended; with the end of what it wrote.
    """

    def __init__(self, way: str, source: Path) -> None:
        self.way = way
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        others = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([str(source), *([others] if others else [])])
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / "trainee.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": path},
            text=True,
        )

    def ask(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Send a line, and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._errors.seek(0)
            raise RuntimeError(f"{self.way} has ended:\n{self._errors.read()[-4000:]}")
        content: dict[str, Any] = json.loads(answer)
        return content

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            stream.close()


def in_turns(
    trainees: Mapping[K, Trainee], net: str, device: str, threads: int, rounds: int
) -> dict[K, Times]:
    """Train a net in each process, a block here and a block there; by the processes' keys.

    The first round compiles kernels and fills caches, and does not count. The order of turns is
    reversed in every other round.
    """
    times = {name: Times([], []) for name in trainees}
    command = {"net": net, "device": device, "threads": threads}
    for number in range(rounds + 1):
        order = list(trainees)[:: -1 if number % 2 else 1]
        ready = [trainees[name].ask({**command, "way": trainees[name].way}) for name in order]
        taken: dict[K, list[dict[str, float]]] = {name: [] for name in order}
        for _ in range(ready[0]["blocks"]):
            for name in order:
                taken[name].append(trainees[name].ask({"go": True}))
        if number:
            for name, blocks in taken.items():
                times[name].wall.append([block["wall"] for block in blocks])
                times[name].cpu.append([block["cpu"] for block in blocks])
    return times
