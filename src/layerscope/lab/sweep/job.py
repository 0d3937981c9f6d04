"""One job of a sweep, in whatever process a launcher has put it."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from layerscope.lab.status import RunStatus
from layerscope.lab.sweep.fingerprint import fingerprint
from layerscope.lab.sweep.sweep_settings import OBJECTIVES
from layerscope.run_lock import NAME as LOCK
from layerscope.run_lock import FolderTakenError, RunLock


def run_as_job(cfg: DictConfig, train: Callable[[DictConfig], int]) -> float | None:
    """Train in `cfg.folder`, where Hydra has put `.hydra/`; the result is the status.json there.

    A job that has finished there with the same settings is not run again. Of any other one, what an
    earlier attempt left is removed first.

    Args:
        train: as in train.py: it catches its own failures, writes the status and returns the exit
            code.

    Returns:
        The job's `sweep.objective` for a search; None, which a search counts as a failure, for a
        job that has not finished. (Optuna 2 takes a NaN neither as a value nor with a failure.)

    Raises:
        SystemExit: the job was interrupted, and shares its process with the rest of the sweep.
    """
    folder = Path(cfg.folder)
    try:
        lock = RunLock(folder)
    except FolderTakenError as taken:  # of a sweep that was killed, and its workers go on
        print(f"{folder.name}: {taken}", file=sys.stderr)
        return None
    with lock:
        return _run(cfg, folder, train)


def _run(cfg: DictConfig, folder: Path, train: Callable[[DictConfig], int]) -> float | None:
    if not _has_finished(cfg, folder):
        for path in folder.iterdir():
            if path.name not in (".hydra", LOCK):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        code = train(cfg)
        status = RunStatus.read(folder)
        launcher = str(HydraConfig.get().launcher.get("_target_"))
        if status and status.state == "interrupted" and launcher.endswith(".BasicLauncher"):
            sys.exit(code)
    status = RunStatus.read(folder)
    if status is None or status.state != "finished":
        return None
    try:
        return OBJECTIVES[cfg.sweep.objective](folder, status)
    except (OSError, ValueError, LookupError) as error:
        print(f"{folder.name}: {error}", file=sys.stderr)
        return None


def _has_finished(cfg: DictConfig, folder: Path) -> bool:
    status = RunStatus.read(folder)
    try:
        return (
            status is not None
            and status.state == "finished"
            and status.fingerprint == fingerprint(cfg)
        )
    except OmegaConfBaseException:  # `train` says what is wrong
        return False
