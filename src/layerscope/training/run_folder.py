"""The folder of a single run: dated, named after what was typed, and nobody else's."""

import os
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from layerscope.held_folder import held_folder
from layerscope.lab.signature import as_typed
from layerscope.lab.sweep.job import run_name
from layerscope.lab.typed_overrides import typed_overrides
from layerscope.process_identity import is_first_process
from layerscope.session.local_folder import local_folder, nearest

CHECKPOINTS, LAST = "checkpoints", "last.ckpt"
"""In a run's folder; the last one stands beside the best."""

_IN_THE_PATH = ("experiment", "name")  # logs/vanishing/2026-11-25_20-40-20


def check_folder(config: DictConfig) -> None:
    """Raise ValueError if the run's folder cannot be made or written to; it is not made here."""
    folder, key, _ = _asked(config)
    there = nearest(local_folder(folder, key))
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{key} must be a folder to write to, got {folder}: {there} is read-only")


def run_folder(config: DictConfig) -> Path:
    """Make the folder that a run is to write to, as config.hydra.run.dir, for this process alone.

    A folder that was typed, as `folder` or `hydra.run.dir`, is taken as it is, unless it holds a
    run that is not resumed. Otherwise the date is followed by what was typed, and if there is such
    a folder already by _2, _3 and so on. The process holds the folder until it ends. Of processes
    that train together the first one does so for all.

    Args:
        config: of Hydra, with its own settings.

    Raises:
        ValueError: it cannot be made, holds a run, or another process writes to it; or a run is to
            be resumed and there is none.
    """
    folder, key, is_typed = _asked(config)
    if not is_first_process():
        return folder
    resumed = checkpoint_to_resume(config, folder)
    if not is_typed and (name := typed_name(typed_overrides(config.hydra))):
        folder = folder.with_name(f"{folder.name}_{name}")
    held = held_folder(folder, key, is_typed=is_typed)
    its_own = resumed is not None and resumed.resolve().is_relative_to(folder.resolve())
    if is_typed and not its_own and holds_run(held):
        goes_on = any((held / CHECKPOINTS).glob("*.ckpt"))
        way_out = "add resume=true to go on with it, or name" if goes_on else "name"
        raise ValueError(
            f"{key} must be a folder without a run, got {folder}: {way_out} another one"
        )
    return held


def has_default_folder(config: DictConfig) -> bool:
    """Whether nobody has said where the run writes, and so Hydra does."""
    return str(config._get_node("folder")) == "${hydra:runtime.output_dir}"


def _asked(config: DictConfig) -> tuple[Path, str, bool]:
    """The folder that the config names, the key that names it, and whether that was typed."""
    if not has_default_folder(config):
        folder = config.folder
        if isinstance(folder, bool) or not isinstance(folder, str | int) or folder == "":
            raise ValueError(f"folder must be the path of a folder, got {as_typed(folder)}")
        return Path(str(folder)).expanduser(), "folder", True
    if not config.hydra.run.dir:
        raise ValueError("hydra.run.dir must be the path of a folder, got ''")
    is_typed = any(each.startswith("hydra.run.dir=") for each in config.hydra.overrides.hydra)
    return Path(str(config.hydra.run.dir)).expanduser(), "hydra.run.dir", is_typed


def holds_run(folder: Path) -> bool:
    """Whether a run has written events or a checkpoint to a folder."""
    return any(folder.glob("*tfevents*")) or any((folder / CHECKPOINTS).glob("*.ckpt"))


def checkpoint_to_resume(config: DictConfig, folder: Path) -> Path | None:
    """The checkpoint that a run goes on from: `ckpt_path`, or with `resume` its folder's last.ckpt,
    which no validation in the middle of a step has left, or else the newest; None of a new run.

    Raises:
        ValueError: both are asked for, or the folder has none.
    """
    if config.resume and config.ckpt_path is not None:
        raise ValueError(f"ckpt_path must be null beside resume=true, got {config.ckpt_path}")
    if config.ckpt_path is not None:
        return Path(str(config.ckpt_path)).expanduser()
    if not config.resume:
        return None
    there = sorted(
        (folder / CHECKPOINTS).glob("*.ckpt"),
        key=lambda path: (path.name == LAST, path.stat().st_mtime_ns),
    )
    if not there:
        way_out = ": add folder=FOLDER" if has_default_folder(config) else ""
        raise ValueError(
            f"resume must find a checkpoint of the run, got {folder}, which has none{way_out}"
        )
    return there[-1]


def typed_name(overrides: Sequence[str]) -> str:
    """Overrides as a part of a folder's name, 120 characters at most; empty if there are none.

    >>> typed_name(["init=kaiming", "experiment=vanishing", "+trainer.num_nodes=2"])
    'init=kaiming,trainer.num_nodes=2'
    """
    values = dict(each.lstrip("+~").split("=", 1) for each in overrides if "=" in each)
    values = {key: value for key, value in values.items() if key not in _IN_THE_PATH}
    typed = ",".join(f"{key}={values[key]}" for key in sorted(values))
    return run_name(typed) if typed else ""
