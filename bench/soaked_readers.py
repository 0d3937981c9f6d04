"""How those that read runs bear very many: a report, a sweep that is resumed, TensorBoard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError

import torch
from hydra import compose, initialize_config_dir
from soaked_board import Board
from soaked_trainings import Row, chain, steps_in, train

import layerscope
from layerscope.lab.status import RunStatus
from layerscope.lab.sweep.fingerprint import fingerprint
from layerscope.process_identity import ProcessIdentity


def many(runs: int, folder: Path) -> list[Row]:
    """A report on very many runs, and a sweep of as many jobs that is resumed."""
    jobs = folder / "sweep"
    command = [
        *(sys.executable, "train.py", "-m", "trainer.max_steps=2", "report=false"),
        *("model.width=8", "monitor=sparse", f"sweep.folder={jobs}"),
    ]
    subprocess.run([*command, "seed=0,1"], check=True, stdout=subprocess.DEVNULL, timeout=600)
    with initialize_config_dir(str(Path("conf").resolve()), version_base="1.3"):
        cfg = compose("train", [each for each in command[3:] if not each.startswith("sweep.")])
    made = RunStatus.read(jobs / "seed=0")
    assert made is not None
    for seed in range(2, runs):
        cfg.seed = seed
        job = jobs / f"seed={seed}"
        job.mkdir()
        for file in (jobs / "seed=0").glob("*tfevents*"):
            (job / file.name).write_bytes(file.read_bytes())
        RunStatus(
            "finished", val_loss=made.val_loss, steps=2, fingerprint=fingerprint(cfg),
            overrides=(f"seed={seed}",), versions=made.versions, process=ProcessIdentity.own(),
        ).write(job)  # fmt: skip
    print(f"many: {runs} finished jobs are resumed, 0.4 s each", file=sys.stderr)
    begun = time.time()
    resumed = _used([*command, "sweep.resume=true", f"seed=range({runs})"])
    left = sum(file.stat().st_mtime < begun for file in jobs.glob("*/status.json"))
    print(f"many: a report on {runs} runs", file=sys.stderr)
    reported = _used([sys.executable, "-m", "layerscope", "report", str(jobs)])
    compared = len(json.loads((jobs / "comparison.json").read_text(encoding="utf-8"))["runs"])
    return [
        Row(
            f"a sweep of {runs} finished jobs, resumed",
            f"{left} left as they are; {resumed}",
            "1 s a job",
            left == runs and resumed.seconds < 60 + runs,
        ),
        Row(
            f"a report on {runs} runs",
            f"{compared} compared; {reported}",
            "0.5 s a run",
            compared == runs and reported.seconds < 30 + runs / 2,
        ),
    ]


class _Used(NamedTuple):
    """Of the processor and, at most, of memory."""

    seconds: float
    megabytes: float

    def __str__(self) -> str:
        return f"{self.seconds:.0f} s of the processor, {self.megabytes:.0f} MB"


def _used(command: list[str]) -> _Used:
    """What a command takes; RuntimeError if it fails."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} has ended with {process.returncode}")
    return _Used(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)


def tags(number: int, folder: Path) -> list[Row]:
    """Whether TensorBoard shows all of very many tags, and how soon."""
    layers, steps = max(number // 10, 1), 20
    train(chain(layers, 16), torch.randn(8, 16), steps, folder / "run")
    run = layerscope.read(folder / "run")
    wanted = {"scalars": sorted(run.scalars), "histograms": sorted(run.histograms)}
    begun = time.monotonic()
    with Board(folder) as board:
        while (shown := board.tags().get("run")) != wanted and time.monotonic() < begun + 600:
            time.sleep(0.2)
        seconds = time.monotonic() - begun
        last = wanted["histograms"][-1]
        served = board.get("plugin/histograms/histograms", run="run", tag=last)
    there, count = sum(map(len, (shown or {}).values())), sum(map(len, wanted.values()))
    return [
        Row(
            f"TensorBoard on {count} tags of {steps} steps",
            f"{there} shown after {seconds:.0f} s by the clock, {len(served)} steps of the last",
            "all",
            shown == wanted and len(served) == steps,
        )
    ]


def polled(steps: int, folder: Path) -> list[Row]:
    """Whether four runs are written whole while TensorBoard reads them, and shown to the end."""
    write = "import sys, soaked_readers; soaked_readers.written(sys.argv[1], int(sys.argv[2]))"
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    names = [f"run{number}" for number in range(4)]
    writers = [
        subprocess.Popen([sys.executable, "-c", write, str(folder / name), str(steps)], env=here)
        for name in names
    ]
    asked, failed, back, at = 0, 0, 0, dict.fromkeys(names, -1)
    with Board(folder) as board:
        deadline = time.monotonic() + 3_000
        while min(at.values()) < steps - 1 and time.monotonic() < deadline:
            for name in names:
                try:
                    shown = board.get("plugin/scalars/scalars", run=name, tag="train/loss")
                except HTTPError as error:  # of a run that is not there yet
                    failed += at[name] >= 0 or error.code != 404
                    continue
                asked += 1
                back += shown[-1][1] < at[name]
                at[name] = shown[-1][1]
            time.sleep(0.2)
    codes = [writer.wait(timeout=60) for writer in writers]
    whole = [steps_in(folder / name) for name in names]
    return [
        Row(
            f"TensorBoard polled while four runs of {steps} steps are written",
            f"{asked} answers, {failed} errors, {back} times a step back",
            "no error",
            not failed and not back,
        ),
        Row(
            "their last step in TensorBoard, and their steps on the disk",
            f"{list(at.values())}, {whole}",
            "all",
            set(at.values()) == {steps - 1} and set(whole) == {steps} and not any(codes),
        ),
    ]


def written(folder: str, steps: int) -> None:
    """One of the four runs."""
    torch.set_num_threads(1)
    train(chain(3, 32), torch.randn(32, 32), steps, Path(folder), flush_seconds=0.5)
