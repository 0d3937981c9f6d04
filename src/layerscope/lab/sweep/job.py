"""One job of a sweep, in whatever process a launcher has put it: it never raises."""

from __future__ import annotations

import shutil
import signal
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from layerscope.lab.status import RunStatus
from layerscope.lab.sweep import own_process
from layerscope.lab.sweep.stop import Stop

TRACEBACK = "traceback.txt"


def run_as_job(cfg: DictConfig, train: Callable[[DictConfig], int]) -> None:
    """Train in `cfg.folder`, where Hydra has put `.hydra/`; the result is the status.json there.

    What an earlier attempt left in the folder is removed first. On Linux the training has a
    process of its own, so that running out of memory ends one job; not in a worker of Ray, which
    has threads that do not survive a fork and is a process apart already.

    Args:
        cfg: the job's config.
        train: as `train` of train.py: writes the status, returns the exit code.
    """
    folder = Path(cfg.folder)
    launcher = str(HydraConfig.get().launcher.get("_target_"))
    stop = Stop(Path(HydraConfig.get().sweep.dir).absolute())
    if stop.cause():
        return
    for path in folder.iterdir():
        if path.name != ".hydra":
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def task() -> int:
        with stop.ends_this_process():
            return train(cfg)

    if own_process.POSSIBLE and "ray" not in launcher:
        code = own_process.in_own_process(task)
    else:
        code = _caught(task, folder)
    status = RunStatus.read(folder) or RunStatus("running")
    if stop.cause() and status.state == "interrupted":
        reason = f"{stop.cause()} at step {status.steps}"
        replace(status, reason=reason).write(folder)
    elif status.state == "running":
        lost(code, status, stop).write(folder)


def lost(code: int, status: RunStatus, stop: Stop) -> RunStatus:
    """The status of a job whose process ended without a word.

    Args:
        code: its exit code; minus the signal's number if one ended it.
        status: what it last wrote.
        stop: whether the sweep was being stopped.
    """
    if stop.cause():
        return replace(status, state="interrupted", reason=f"{stop.cause()} before the first step")
    if code >= 0:
        return replace(status, state="failed", reason=f"its process ended with exit code {code}")
    name = signal.Signals(-code).name
    why = ": out of memory, or killed by hand" if name == "SIGKILL" else ""
    return replace(status, state="failed", reason=f"its process was ended by {name}{why}")


def _caught(task: Callable[[], int], folder: Path) -> int:
    try:
        return task()
    except Exception:
        (folder / TRACEBACK).write_text(traceback.format_exc(), encoding="utf-8")
        traceback.print_exc()
        return 1
