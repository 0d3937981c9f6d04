"""Twelve jobs with hydra/launcher=basic and with joblib: time, and whether the figures are equal.

    python bench/sweep.py                        # jobs of 10 epochs, 1,680 steps
    python bench/sweep.py trainer.max_epochs=14  # any override of train.py

Each launcher runs the sweep three times, in turn, in a process of its own, imports and the table
included. The median counts. Equal means: the same val/loss to the last digit, and the same
weights bit for bit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

ROOT = Path(__file__).parent.parent
REPEATS = 3
SWEEP = ("init=random,xavier,kaiming,critical", "model.activation=tanh,relu,leaky_relu")
QUIET = ("names=0", "trainer.enable_progress_bar=false")


def seconds(launcher: str, folder: Path, overrides: list[str]) -> float:
    """Wall-clock time of the sweep, which writes into `folder`."""
    started = time.perf_counter()
    subprocess.run(
        [
            *(sys.executable, "train.py", "-m", *SWEEP, *QUIET, *overrides),
            *(f"hydra/launcher={launcher}", f"sweep.folder={folder}"),
        ],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def equal(one: Path, other: Path) -> bool:
    """Whether two runs have the same val/loss and the same weights."""
    losses = [json.loads((run / "status.json").read_text())["val/loss"] for run in (one, other)]
    weights = [
        torch.load(next((run / "checkpoints").glob("*.ckpt")), weights_only=True)["state_dict"]
        for run in (one, other)
    ]
    return losses[0] == losses[1] and all(
        torch.equal(weights[0][name], weights[1][name]) for name in weights[0]
    )


def main() -> None:
    """Print the seconds of both launchers, their ratio and how many jobs came out equal."""
    overrides = sys.argv[1:] or ["trainer.max_epochs=10"]
    taken: dict[str, list[float]] = {"basic": [], "joblib": []}
    with TemporaryDirectory() as scratch:
        for repeat in range(REPEATS):
            for launcher, times in taken.items():
                times.append(seconds(launcher, Path(scratch, f"{launcher}{repeat}"), overrides))
                print(f"{launcher} {times[-1]:.1f} s", flush=True)
        jobs = sorted(path.parent for path in Path(scratch, "basic0").glob("*/status.json"))
        same = sum(equal(job, Path(scratch, "joblib0", job.name)) for job in jobs)
    middle = {launcher: median(times) for launcher, times in taken.items()}
    print(
        f"{len(jobs)} jobs: basic {middle['basic']:.1f} s, joblib {middle['joblib']:.1f} s, "
        f"ratio {middle['joblib'] / middle['basic']:.2f}; {same} of {len(jobs)} equal"
    )


if __name__ == "__main__":
    main()
