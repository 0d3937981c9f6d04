"""One training and how it ended: a status.json, whatever happens, and an exit code."""

from __future__ import annotations

import math
import sys
import time
import traceback
import warnings
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import configure_log
from omegaconf import DictConfig

from layerscope.console.terminal import waiting
from layerscope.exit_codes import ExitCode
from layerscope.lab.sentence import BAD_SETTING, sentence
from layerscope.lab.status import REFUSED, RunStatus
from layerscope.lab.sweep import fingerprint, run_as_job, versions
from layerscope.process_identity import ProcessIdentity, is_first_process
from layerscope.reader_gone import train_on_unread
from layerscope.run_lock import FolderTakenError, RunLock
from layerscope.training.check import check
from layerscope.training.hydra_run import in_sweep, typed
from layerscope.training.start import refused
from layerscope.training.termination import Terminable, stopped_by

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from layerscope.training.experiment import Experiment

_TRACEBACK = "traceback.txt"
_CODES = {"finished": ExitCode.FINISHED, "failed": ExitCode.FAILED}


def run(cfg: DictConfig) -> float | None:
    """Train as Hydra's main: alone, and exit with the run's code, or as one of many jobs.

    Returns:
        Of a job, its `sweep.objective`; see `run_as_job`.
    """
    # Lightning 2.6 under torch 2.13, and nothing that a user could mend.
    warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")
    # A run that goes on finds its own folder, or has another one than before, as it was asked to.
    warnings.filterwarnings("ignore", message=r"Checkpoint directory .* exists and is not empty")
    warnings.filterwarnings("ignore", message=r"The dirpath has changed from")
    warnings.filterwarnings("ignore", message=r"Be aware that when using `ckpt_path`, callbacks")
    if in_sweep():
        from layerscope.training import experiment  # noqa: F401  imports Lightning

        hydra = HydraConfig.get()
        # Again: Lightning's import makes it talk.
        configure_log(cast(DictConfig, hydra.job_logging), hydra.verbose)
        return run_as_job(cfg, _accounted)
    train_on_unread()
    try:
        code = _accounted(cfg)
    except Exception:  # not the user's mistake: `start` would tell it as one
        traceback.print_exc()
        code = ExitCode.FAILED
    sys.exit(code)


def _accounted(cfg: DictConfig) -> int:
    """Train, tell all who keep account of runs how it ended, and return the exit code.

    A single run that a setting has kept from being leaves its status alone.
    """
    code = train(cfg)
    if code != ExitCode.BAD_SETTING or in_sweep():
        from layerscope.training.hparams_row import close_row

        close_row(cfg)
    return code


def train(cfg: DictConfig) -> int:
    """Run one training in `cfg.folder`; whatever happens leaves a status.json there.

    Returns:
        The exit code.
    """
    if not is_first_process():
        return _train_along(cfg)
    folder, started = Path(str(cfg.folder)), time.monotonic()
    status = RunStatus(
        "running", overrides=typed(), versions=versions(), process=ProcessIdentity.own()
    )
    if cfg.resume and (before := RunStatus.read(folder)) is not None:
        status = replace(status, steps=before.steps, val_loss=before.val_loss)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = RunLock(folder)
        status.write(folder)
    except FolderTakenError as taken:
        return refused(f"folder must be one that is free: {taken}", debug=cfg.get("debug") is True)
    except OSError as error:
        told = f"folder must be one that can be written to, got {folder}: {error.strerror}"
        return refused(told, debug=cfg.get("debug") is True)
    with lock, Terminable() as terminable:
        made = _prepared(cfg, folder, status, terminable)
        if isinstance(made, int):
            return made
        experiment, status = made
        status, code = _trained(experiment, cfg, status)
        status = replace(status, seconds=time.monotonic() - started)
        code = _written(status, folder, code)
        if code == ExitCode.BAD_SETTING or in_sweep():  # of a job, a line is printed
            return code
        from layerscope.training.ending import tell

        try:
            tell(experiment, cfg, status)
        except OSError as error:  # the training has its result, whoever can print it
            with suppress(OSError):
                print(f"error: the end was not printed: {error}", file=sys.stderr)
    return code


def _train_along(cfg: DictConfig) -> int:
    """Train as one of several processes, of which the first keeps account; the exit code."""
    from layerscope.training.experiment import build

    with Terminable() as terminable:
        try:
            _fit(build(cfg, terminable))
        except (KeyboardInterrupt, SystemExit) as stop:
            return stopped_by(stop)[1]
    return ExitCode.FINISHED


def _fit(experiment: Experiment) -> None:
    experiment.trainer.fit(
        experiment.model,
        datamodule=experiment.data,
        ckpt_path=experiment.checkpoint,
        weights_only=True,  # nothing in a checkpoint is run
    )


def _written(status: RunStatus, folder: Path, code: ExitCode) -> ExitCode:
    """Write a run's last status; the exit code, which is that of a failure if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        status.write(folder)
    except OSError as error:
        print(f"error: {folder}/status.json was not written: {error.strerror}", file=sys.stderr)
        return code or ExitCode.FAILED
    return code


def _prepared(
    cfg: DictConfig, folder: Path, status: RunStatus, terminable: Terminable
) -> tuple[Experiment, RunStatus] | int:
    """The experiment, checked and made; the exit code if it cannot be, and the status says why."""
    try:
        check(cfg, status.overrides)
        status = replace(status, fingerprint=fingerprint(cfg))
        with nullcontext() if in_sweep() else waiting("loading PyTorch and Lightning"):
            from layerscope.training.experiment import build  # seconds

        experiment = build(cfg, terminable)
        status.write(folder)
        return experiment, status
    except BAD_SETTING as error:
        told = sentence(error)
        replace(status, state="failed", reason=told).write(folder)
        return refused(told, debug=cfg.get("debug") is True)
    except Exception as error:  # a network that memory has no room for, say
        keep_traceback(folder)
        replace(status, state="failed", reason=_named(error)).write(folder)
        return ExitCode.FAILED
    except (KeyboardInterrupt, SystemExit) as stop:
        cause, code = stopped_by(stop)
        reason = f"{cause} before the first step"
        replace(status, state="interrupted", reason=reason).write(folder)
        return code


def _trained(
    experiment: Experiment, cfg: DictConfig, status: RunStatus
) -> tuple[RunStatus, ExitCode]:
    """Train; how that ended."""
    from layerscope.training.hparams_row import open_row
    from layerscope.training.late_refusal import late_refusal

    trainer, code = experiment.trainer, None
    try:
        open_row(cfg, experiment)
        _fit(experiment)
        status = replace(status, state="finished")
    except (KeyboardInterrupt, SystemExit) as stop:  # Lightning turns the first into the second
        cause, code = stopped_by(stop)
        if trainer.received_sigterm:
            cause, code = "SIGTERM", ExitCode.TERMINATED
        reason = f"{cause} at step {max(trainer.global_step, experiment.start)}"
        status = replace(status, state="interrupted", reason=reason)
    except Exception as error:
        if (told := late_refusal(error, experiment)) is not None:
            refused(told, debug=cfg.get("debug") is True)
            return replace(status, state="failed", reason=told), ExitCode.BAD_SETTING
        keep_traceback(Path(str(cfg.folder)))
        status = replace(status, state="failed", reason=_named(error))
    val_loss = trainer.callback_metrics.get("val/loss")
    status = replace(
        status,
        val_loss=status.val_loss if val_loss is None else float(val_loss),
        steps=max(trainer.global_step, experiment.start),
    )
    if status.state != "finished":
        return status, _CODES[status.state] if code is None else code
    if trouble := diverged(trainer):
        return replace(status, state="failed", reason=trouble), ExitCode.FAILED
    monitor = experiment.monitor
    if monitor is not None and monitor.refused:
        reason = f"{REFUSED}{monitor.refused.explanation}"
        return replace(status, reason=reason), ExitCode.REFUSED
    failures = [None if monitor is None else monitor.failure, experiment.checkpoint_file.failure]
    told = "; ".join(failure for failure in failures if failure)
    return replace(status, reason=told or None), ExitCode.FINISHED


def diverged(trainer: Trainer) -> str | None:
    """Why a run whose loss is no longer a number has failed; None if its losses are finite."""
    for name in ("train/loss", "val/loss"):
        loss = float(trainer.callback_metrics.get(name, 0.0))
        if not math.isfinite(loss):
            return f"diverged: {name} is {loss}."
    return None


def keep_traceback(folder: Path) -> None:
    """Print the traceback of the exception at hand, and keep it in the run's folder."""
    traceback.print_exc()
    with suppress(OSError):  # a full disk, say
        (folder / _TRACEBACK).write_text(traceback.format_exc(), encoding="utf-8")


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
