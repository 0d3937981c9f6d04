"""One job of a sweep and its line, in whatever process a launcher has put it."""

import re
import shutil
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from layerscope.lab.status import RunStatus
from layerscope.lab.sweep.fingerprint import fingerprint
from layerscope.lab.sweep.sweep_settings import OBJECTIVES
from layerscope.run_lock import NAME as LOCK
from layerscope.run_lock import FolderTakenError, RunLock
from layerscope.whole_file import read_json

_LONGEST = 120  # characters; file systems take 255 bytes, and TensorBoard's list far fewer
_DIGITS = 8
_LIST = re.compile(r"\[([^\[\]]*)\]")
_LONG_NUMBER = re.compile(r"(?<==)-?(?=[\d.]{8})\d+\.\d+(?:e[+-]?\d+)?(?=,|$)")  # of a search
_NOT_PLAIN = re.compile(r"[^\w.,=+@-]")


def run_name(overrides: str) -> str:
    """Name a job by what it sets: its folder, and so its run in TensorBoard.

    A list is joined by `-`, a number of more than seven digits is rounded to four, and any
    character but letters, digits and `.,=+@-` becomes `_`. What is longer than 120 bytes is cut.
    Where this loses something, eight digits of a hash of the whole tell the job from others.

    Args:
        overrides: as Hydra's `hydra.job.override_dirname` has them: sorted, joined by commas.

    >>> run_name("init=kaiming,model.activation=relu,seed=0")
    'init=kaiming,model.activation=relu,seed=0'
    >>> run_name("model.widths=[200,100]")
    'model.widths=200-100'
    >>> run_name("data.path=names/de.txt")
    'data.path=names_de.txt,d5b9a37b'
    >>> run_name("optimizer.lr=0.00029375384576328325")
    'optimizer.lr=0.0002938,1c92e817'
    >>> run_name("")
    'run'
    """
    plain = re.sub(r"(^|,)[+~]+", r"\1", overrides)
    plain = _LIST.sub(lambda found: re.sub(r",\s*", "-", found[1]), plain)
    name = _NOT_PLAIN.sub("_", _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.4g}", plain))
    if name != plain or len(name.encode()) > _LONGEST:
        short = name.encode()[: _LONGEST - _DIGITS - 1].decode(errors="ignore")
        name = f"{short},{sha256(overrides.encode()).hexdigest()[:_DIGITS]}"
    return name or "run"


def outcome(folder: Path) -> str:
    """The val/loss in nats of the job in `folder`, its seconds and its verdict.

    The verdict is the finding of its diagnosis.json that is to be mended first, or why the job has
    not finished.
    """
    status = RunStatus.read(folder)
    if status is None:
        return "not started"
    loss = "" if status.val_loss is None else f"{status.val_loss:.4f}"
    return f"{loss:>8} {status.seconds:7.1f} s  {_verdict(folder, status)}"


def _verdict(folder: Path, status: RunStatus) -> str:
    if status.state != "finished":
        return f"{status.state}: {status.reason}".splitlines()[0]
    try:
        findings = read_json(folder / "diagnosis.json")["findings"]
        if not findings:
            return "healthy"
        first = next((each for each in findings if each["severity"] != "note"), findings[0])
        return f"{first['severity']}: {first['rule']} in {first['layer']} from step {first['step']}"
    except (OSError, ValueError, LookupError, TypeError):  # monitor=none
        return "finished"


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
