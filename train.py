"""Train a deep MLP on names and look into every layer: `python train.py init=kaiming`.

Composes the config in conf/, runs one training (many with `-m`), and reports its status. Exit
codes: 0 finished, 1 the training failed, 2 a setting or a file cannot be used, 4 finished with a
finding that monitor.fail_on refuses, 130 and 143 interrupted by Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import math
import sys
import time
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from layerscope import EventLogger, LayerMonitor
from layerscope.commands.report import report_on
from layerscope.console.findings_table import findings_table
from layerscope.console.health_table import health_table
from layerscope.console.terminal import terminal
from layerscope.events.event_file import EventFile
from layerscope.events.hparams import HParam, session_end, session_start
from layerscope.lab.accelerator import require_accelerator
from layerscope.lab.arguments import at_least
from layerscope.lab.data import CharacterData
from layerscope.lab.language_model import LanguageModel
from layerscope.lab.predict_network import predict_network
from layerscope.lab.sentence import BAD_SETTING, sentence
from layerscope.lab.status import REFUSED, RunStatus
from layerscope.lab.sweep import fingerprint, run_as_job, run_to_its_end, versions
from layerscope.lab.sweep.fingerprint import settings_of
from layerscope.report import write_report

_TRACEBACK = "traceback.txt"
_EXIT_CODES = {"finished": 0, "failed": 1}
_COLUMNS = (  # of TensorBoard's HParams tab, after the keys that were typed
    *(
        "init",
        "model.activation",
        "model.depth",
        "optimizer.lr",
        "seed",
        "model.width",
        "optimizer",
    ),
    *("optimizer.weight_decay", "data.batch_size", "trainer.max_epochs", "init.gain"),
)
_BAD_SETTING, _REFUSED, _INTERRUPTED, _TERMINATED = 2, 4, 130, 143


@dataclass(frozen=True, slots=True)
class Experiment:
    """Everything one training needs, made and checked before it starts."""

    data: CharacterData
    model: LanguageModel
    monitor: LayerMonitor | None
    trainer: Trainer


def build(cfg: DictConfig) -> Experiment:
    """Make the parts that a config names; what is wrong with a setting shows here.

    The weights are drawn from the run's seed by a generator of their own, so that they depend on
    nothing else that is random.
    """
    require_accelerator(cfg.accelerator)
    at_least(0, seed=cfg.seed, names=cfg.names)
    if cfg.threads is not None:
        at_least(1, threads=cfg.threads)
        torch.set_num_threads(cfg.threads)
    seed_everything(cfg.seed, verbose=False)
    made: dict[str, Any] = {
        name: instantiate(cfg[name], _convert_="all")
        for name in ("data", "init", "model", "optimizer", "scheduler", "logger", "monitor")
    }
    data, monitor = made["data"], made["monitor"]
    data.setup()
    network = made["model"](
        embedding_rows=data.embedding_rows,
        context_length=data.context_length,
        classes=data.embedding_rows,
    )
    contexts, targets = next(iter(data.train_dataloader()))
    made["init"](network, torch.Generator().manual_seed(cfg.seed), contexts)
    try:
        made["optimizer"](network.parameters())  # Lightning makes its own, when fit has begun
    except TypeError as error:
        raise ValueError(f"optimizer: {error}") from error
    model = LanguageModel(network, data.vocabulary, made["optimizer"], made["scheduler"])
    if monitor is not None:
        monitor.layers_of(model)
        tell_classes(monitor, data.embedding_rows)
        threshold = monitor.settings.saturation_threshold
        monitor.prediction = predict_network(network, made["init"], contexts, threshold, targets)
    checkpoint = ModelCheckpoint(Path(cfg.folder, "checkpoints"), filename="{step}")
    callbacks = [checkpoint] if monitor is None else [monitor, checkpoint]
    bar = cfg.trainer.enable_progress_bar
    trainer = instantiate(cfg.trainer, _convert_="all")(
        logger=made["logger"],
        callbacks=callbacks,
        enable_progress_bar=not in_sweep() if bar is None else bar,
    )
    return Experiment(data, model, monitor, trainer)


def tell_classes(monitor: LayerMonitor, number: int) -> None:
    """Tell the monitor how many classes there are, unless a setting does."""
    # Not in `build`: cloudpickle, which takes this file to the workers of a launcher, holds an
    # attribute of that name beside a global `torch` for torch.classes, which cannot be pickled.
    if monitor.settings.classes is None:
        monitor.settings = replace(monitor.settings, classes=number)


def report(experiment: Experiment, cfg: DictConfig, status: RunStatus) -> None:
    """Print where the logs are, the health table, made-up names and how to open TensorBoard."""
    console = terminal()
    val_loss = "" if status.val_loss is None else f", val/loss {status.val_loss:.4f} nats"
    console.print(f"\n{status.steps} steps in {status.seconds:.1f} s{val_loss}", highlight=False)
    console.print(f"logs: {cfg.folder}", highlight=False, soft_wrap=True)
    if experiment.monitor is not None and experiment.monitor.diagnosis is not None:
        console.print(findings_table(experiment.monitor.diagnosis["findings"]))
        console.print(health_table(experiment.monitor.diagnosis))
    if cfg.names:
        generator = torch.Generator().manual_seed(cfg.seed)
        try:
            names = ", ".join(experiment.model.made_up(cfg.names, generator))
        except ValueError as error:  # a network that has diverged
            names = f"nothing: {error}"
        console.print(f"made up: {names}", highlight=False, markup=False)
    console.print(f"look: tensorboard --logdir {cfg.folder}", highlight=False, soft_wrap=True)


def train(cfg: DictConfig) -> int:
    """Run one training in `cfg.folder`, which exists; whatever happens leaves a status.json there.

    Returns:
        The exit code.
    """
    folder = Path(cfg.folder)
    started = time.monotonic()
    status = RunStatus("running", versions=versions())
    status.write(folder)
    try:
        status = replace(status, fingerprint=fingerprint(cfg), overrides=typed())
        experiment = build(cfg)
    except (*BAD_SETTING, MisconfigurationException) as error:
        reason = sentence(error)
        replace(status, state="failed", reason=reason).write(folder)
        print(f"error: {reason}", file=sys.stderr)
        return _BAD_SETTING
    except Exception as error:  # a network that memory has no room for, say
        keep_traceback(folder)
        replace(status, state="failed", reason=f"{type(error).__name__}: {error}").write(folder)
        return _EXIT_CODES["failed"]
    except KeyboardInterrupt:
        reason = "Ctrl-C before the first step"
        replace(status, state="interrupted", reason=reason).write(folder)
        return _INTERRUPTED
    status.write(folder)

    trainer = experiment.trainer
    code = None
    try:
        if isinstance(trainer.logger, EventLogger):
            row = session_start(asked(cfg), time.time())
            trainer.logger.experiment.add(0, row)
        trainer.fit(experiment.model, datamodule=experiment.data)
        status = replace(status, state="finished")
        if experiment.monitor is not None:
            status = replace(status, reason=experiment.monitor.failure)
    except (KeyboardInterrupt, SystemExit):  # Lightning turns the first into the second
        signal, code = (
            ("SIGTERM", _TERMINATED) if trainer.received_sigterm else ("Ctrl-C", _INTERRUPTED)
        )
        status = replace(
            status, state="interrupted", reason=f"{signal} at step {trainer.global_step}"
        )
    except Exception as error:
        status = replace(status, state="failed", reason=f"{type(error).__name__}: {error}")
        keep_traceback(folder)
    val_loss = trainer.callback_metrics.get("val/loss")
    status = replace(
        status,
        val_loss=None if val_loss is None else float(val_loss),
        seconds=time.monotonic() - started,
        steps=trainer.global_step,
    )
    if status.state == "finished":
        if not in_sweep():  # of a job, a line is printed
            report(experiment, cfg, status)
        if trouble := diverged(trainer):
            status = replace(status, state="failed", reason=trouble)
    code = _EXIT_CODES[status.state] if code is None else code
    if status.state == "finished" and (monitor := experiment.monitor) and monitor.refused:
        status = replace(status, reason=f"{REFUSED}{monitor.refused.explanation}")
        code = _REFUSED
    status.write(folder)
    if cfg.report and experiment.monitor is not None and not in_sweep():
        write_report(folder)
    return code


def in_sweep() -> bool:
    """Whether this run is one of many."""
    return HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN


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
    (folder / _TRACEBACK).write_text(traceback.format_exc(), encoding="utf-8")


def asked(cfg: DictConfig) -> dict[str, HParam]:
    """What tells a run from others: the keys in its folder's name, `_COLUMNS`, what else was typed.

    A list is written as 200-100; None stands for a key that the config lacks.
    """
    choices = HydraConfig.get().runtime.choices if HydraConfig.initialized() else {}
    settings = settings_of(cfg)
    keys = [override.partition("=")[0].lstrip("+~") for override in typed()]
    swept = [key for key in keys if f"{key}=" in Path(cfg.folder).name]
    columns: dict[str, HParam] = {}
    for key in (*swept, *_COLUMNS, *keys):
        value: Any = choices.get(key, settings)
        for part in key.split(".") if value is settings else ():
            value = value.get(part) if isinstance(value, dict) else None
        if not (isinstance(value, dict) or key.startswith("sweep.")):
            columns[key] = "-".join(map(str, value)) if isinstance(value, list) else value
    return columns


@rank_zero_only
def close_row(cfg: DictConfig) -> None:
    """Tell TensorBoard's HParams tab how the run in `cfg.folder` ended, as its status.json does.

    A run that failed before its first step gets its row here.
    """
    folder = Path(cfg.folder)
    status = RunStatus.read(folder)
    if status is None or status.state == "running" or cfg.logger is None:
        return
    end = session_end(status.state, time.time())
    with suppress(OSError), EventFile(folder) as events:  # a full disk: status.json has told it
        if not any(path != events.path for path in folder.glob("*tfevents*")):
            with suppress(OmegaConfBaseException):
                events.add(0, session_start(asked(cfg), time.time() - status.seconds))
        events.add(status.steps, end)


def typed() -> tuple[str, ...]:
    """The overrides of this run, as on the command line; none outside of Hydra's main."""
    if not HydraConfig.initialized():
        return ()
    return tuple(str(override) for override in HydraConfig.get().overrides.task)


def run(cfg: DictConfig) -> int:
    """Train, tell all who keep account of runs how it ended, and return the exit code."""
    code = train(cfg)
    close_row(cfg)
    return code


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Hydra calls this once, or once per job of a sweep."""
    # Lightning 2.6 under torch 2.13, and nothing that a user could mend.
    warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")
    if in_sweep():
        return run_as_job(cfg, run)
    sys.exit(run(cfg))


if __name__ == "__main__":
    sys.exit(run_to_its_end(main, report_on))
