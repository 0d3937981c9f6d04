"""The best checkpoint of a run, and whether a training can go on from one."""

import logging
import pickle
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.optim import Optimizer

_log = logging.getLogger("layerscope")


def best_checkpoint(folder: Path) -> Callback:
    """Keep the best by val/loss, in the folder of checkpoints."""
    return ModelCheckpoint(
        folder, filename="best-{step}", monitor="val/loss", save_on_train_epoch_end=False
    )


def step_of(path: Path, model: nn.Module, optimizer: Optimizer, accumulate: int = 1) -> int:
    """The step with which a training goes on from a checkpoint; refuses one that is of no use, and
    warns of one that a validation in the middle of a step has left.

    Args:
        model: the network that goes on.
        optimizer: like the one that goes on; it takes over the state.
        accumulate: batches of a step.

    Raises:
        ValueError: there is none, it is damaged, or it is of another network or optimizer; one
            sentence.
    """
    content = _content_of(path)
    _refuse_other_network(path, content["state_dict"], model)
    if missing := _no_state_of(optimizer, content["optimizer_states"]):
        raise ValueError(
            "ckpt_path must be a checkpoint of this optimizer, "
            f"{type(optimizer).__name__}, got {path}: {missing}"
        )
    if given := _given_of_its_step(content["loops"], accumulate):
        _log.warning(
            "%s was saved in the middle of step %d: a resumed run will miss %d of its batches",
            path,
            content["global_step"],
            given,
        )
    return int(content["global_step"])


_PARTS = {"state_dict": Mapping, "global_step": int, "loops": Mapping, "optimizer_states": Sequence}
"""Of a checkpoint that a training has written, what is read here, and its type."""


def _content_of(path: Path) -> Mapping[str, Any]:
    """What a checkpoint holds, of which `_PARTS` are there. It is read with `weights_only=True`:
    nothing in it is run.
    """
    try:
        _refuse_damaged(path)
        content: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        for part, kind in _PARTS.items():
            if not isinstance(content[part], kind):
                raise TypeError(part)
        if not all(isinstance(each, Tensor) for each in content["state_dict"].values()):
            raise TypeError("state_dict")
    except FileNotFoundError:
        raise ValueError(
            f"ckpt_path must be a checkpoint, got {path}, which is not there"
        ) from None
    except (
        *(OSError, RuntimeError, EOFError, ValueError, NotImplementedError),
        *(pickle.UnpicklingError, zipfile.BadZipFile, zlib.error),
    ) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if reason.startswith("Weights only load failed"):  # the rest is how to run it all the same
            reason = "it is damaged, or holds what is neither a tensor nor a plain value"
        raise ValueError(f"ckpt_path must be a whole checkpoint, got {path}: {reason}") from error
    except (KeyError, TypeError, AttributeError, IndexError):
        raise ValueError(
            f"ckpt_path must be a checkpoint of a training, got {path}, which holds something else"
        ) from None
    return content


def _refuse_other_network(path: Path, saved: Mapping[str, Tensor], model: nn.Module) -> None:
    weights = {name: tuple(tensor.shape) for name, tensor in saved.items()}
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    for name in sorted({*own, *weights}):
        if own.get(name) != weights.get(name):
            there, here = (_shape(shapes.get(name)) for shapes in (weights, own))
            raise ValueError(
                f"ckpt_path must be a checkpoint of this network, got {path}: {name} has {there} "
                f"there and {here} here"
            )


def _no_state_of(optimizer: Optimizer, states: Sequence[Any]) -> str | None:
    """Why an optimizer cannot go on from what is saved; torch looks for few of the reasons."""
    try:
        optimizer.load_state_dict(states[0])
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    lacking = sorted({*optimizer.defaults} - {*optimizer.param_groups[0]})
    return f"{lacking[0]} is not in it" if lacking else None


def _given_of_its_step(loops: Mapping[str, Any], accumulate: int) -> int:
    """The batches that a step had been given of `accumulate` when a checkpoint was written; 0 of a
    step that was over.

    >>> progress = {"current": {"ready": 7}, "is_last_batch": False}
    >>> _given_of_its_step({"fit_loop": {"epoch_loop.batch_progress": progress}}, 2)
    1
    """
    match loops:
        case {
            "fit_loop": {
                "epoch_loop.batch_progress": {
                    "current": {"ready": int(given)},
                    "is_last_batch": False,
                }
            }
        }:
            return given % accumulate
    return 0


def _refuse_damaged(path: Path) -> None:
    """Raise OSError of what has no end, or is not what was written: torch compares no checksums."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError("it is a device or a pipe")
    if path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if (part := archive.testzip()) is not None:
                raise OSError(f"the checksum of {part} in it does not fit")


def _shape(shape: tuple[int, ...] | None) -> str:
    return "no entry" if shape is None else f"shape {list(shape)}"
