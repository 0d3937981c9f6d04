"""A run's row in TensorBoard's HParams tab: what it was asked, and how it ended."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from layerscope import EventLogger
from layerscope.events.event_file import EventFile
from layerscope.events.hparams import HParam, session_end, session_start
from layerscope.lab.status import RunStatus
from layerscope.lab.sweep.fingerprint import settings_of
from layerscope.training.experiment import Experiment
from layerscope.training.hydra_run import choices, typed

_COLUMNS = (  # after the keys that were typed
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


def asked(cfg: DictConfig) -> dict[str, HParam]:
    """What tells a run from others: the keys in its folder's name, `_COLUMNS`, what else was typed.

    A list is written as 200-100; None stands for a key that the config lacks. What comes out of the
    environment is told as it was typed.
    """
    chosen = choices()
    settings, written = settings_of(cfg), OmegaConf.to_container(cfg, resolve=False)
    keys = [override.partition("=")[0].lstrip("+~") for override in typed()]
    swept = [key for key in keys if f"{key}=" in Path(cfg.folder).name]
    columns: dict[str, HParam] = {}
    for key in (*swept, *_COLUMNS, *keys):
        value = chosen[key] if key in chosen else _at(settings, key)
        if "oc.env" in str(as_written := _at(written, key)):  # a token, say, that is to stay there
            value = as_written
        if not (isinstance(value, dict) or key.startswith("sweep.")):
            columns[key] = "-".join(map(str, value)) if isinstance(value, list) else value
    return columns


def _at(settings: Any, key: str) -> Any:
    for part in key.split("."):
        settings = settings.get(part) if isinstance(settings, dict) else None
    return settings


def open_row(cfg: DictConfig, experiment: Experiment) -> None:
    """Begin the row, where the trainer's logger has an event file for it; a resumed run has one."""
    logger = experiment.trainer.logger
    if isinstance(logger, EventLogger):
        if not cfg.resume:
            logger.experiment.add(0, session_start(asked(cfg), time.time()))
        if experiment.checkpoint is not None and experiment.monitor is None:
            logger.experiment.restart(experiment.start)  # a monitor does it itself


@rank_zero_only
def close_row(cfg: DictConfig) -> None:
    """Tell TensorBoard how the run in `cfg.folder` ended, as its status.json does.

    A run that failed before its first step gets its row here.
    """
    folder = Path(cfg.folder)
    status = RunStatus.read(folder)
    if status is None or status.state == "running" or cfg.get("logger") is None:
        return
    end = session_end(status.state, time.time())
    with suppress(OSError), EventFile(folder) as events:  # a full disk: status.json has told it
        if not any(path != events.path for path in folder.glob("*tfevents*")):
            with suppress(OmegaConfBaseException):
                events.add(0, session_start(asked(cfg), time.time() - status.seconds))
        events.add(status.steps, end)
