"""The checkpoints of a run: which are kept, and whether a training can go on from one."""

from __future__ import annotations

import pickle
from datetime import timedelta
from pathlib import Path

import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn

from layerscope.training.run_folder import CHECKPOINTS, LAST

_EVERY = timedelta(minutes=5)
"""What a run that is killed loses at most: a checkpoint takes milliseconds."""


def checkpoint_callbacks(folder: Path) -> list[Callback]:
    """Keep the best by val/loss, and the last one: of each epoch's end, and every five minutes."""
    directory = folder / CHECKPOINTS
    last = Path(LAST).stem
    return [
        ModelCheckpoint(
            directory, filename="best-{step}", monitor="val/loss", save_on_train_epoch_end=False
        ),
        ModelCheckpoint(
            directory, filename=last, save_on_train_epoch_end=True, enable_version_counter=False
        ),
        ModelCheckpoint(
            directory, filename=last, train_time_interval=_EVERY, enable_version_counter=False
        ),
    ]


def step_of(path: Path, model: nn.Module) -> int:
    """The step with which a training goes on from a checkpoint; refuses one that is of no use.

    It is read with `weights_only=True`: nothing in it is run.

    Raises:
        ValueError: there is none, it is damaged, or it is of another network; one sentence.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        weights = {name: tuple(tensor.shape) for name, tensor in content["state_dict"].items()}
        step = int(content["global_step"])
    except FileNotFoundError:
        raise ValueError(
            f"ckpt_path must be a checkpoint, got {path}, which is not there"
        ) from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"ckpt_path must be a whole checkpoint, got {path}: {reason}") from error
    except (KeyError, TypeError, AttributeError, IndexError):
        raise ValueError(
            f"ckpt_path must be a checkpoint of a training, got {path}, which holds something else"
        ) from None
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name in sorted({*own, *weights}):
        if own.get(name) != weights.get(name):
            there, here = (_shape(shapes.get(name)) for shapes in (weights, own))
            raise ValueError(
                f"ckpt_path must be a checkpoint of this network, got {path}: {name} has {there} "
                f"there and {here} here"
            )
    return step


def _shape(shape: tuple[int, ...] | None) -> str:
    return "no entry" if shape is None else f"shape {list(shape)}"
