"""The parts of a training, as a config names them: where the lab meets the instrument."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig

from layerscope import LayerMonitor
from layerscope.arguments import at_least, finite_and_not_negative
from layerscope.lab.data import CharacterData
from layerscope.lab.language_model import LanguageModel
from layerscope.lab.machine import require_accelerator
from layerscope.lab.mlp import MLP
from layerscope.lab.predict_network import predict_network
from layerscope.lab.sentence import sentence, with_key, with_typed
from layerscope.training.checkpoint_file import CheckpointFile, RandomState
from layerscope.training.checkpoints import best_checkpoint, step_of
from layerscope.training.hydra_run import in_sweep, typed
from layerscope.training.last_checkpoint import LastCheckpoint
from layerscope.training.run_folder import CHECKPOINTS, checkpoint_to_resume
from layerscope.training.termination import Terminable

_OF_SETTINGS = (
    *(ValueError, TypeError, AttributeError, LookupError, OverflowError),
    MisconfigurationException,
)
"""What a constructor raises of a setting that it refuses."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """Everything one training needs, made and checked before it starts.

    Attributes:
        last_checkpoint: which knows whether training has begun.
        checkpoint: that it goes on from; None of a new one.
        start: its first step.
    """

    data: CharacterData
    model: LanguageModel
    monitor: LayerMonitor | None
    trainer: Trainer
    checkpoint_file: CheckpointFile
    last_checkpoint: LastCheckpoint
    checkpoint: Path | None = None
    start: int = 0


def build(cfg: DictConfig, terminable: Terminable) -> Experiment:
    """Make the parts that a config names; what is wrong with a setting's value shows here.

    The weights are drawn from the run's seed by a generator of their own, so that they depend on
    nothing else that is random.

    Args:
        cfg: that `check` has nothing against.
        terminable: which hears that the training is to stop.

    Raises:
        ValueError: a part refuses its settings; one sentence that begins with the key.
    """
    require_accelerator(cfg.accelerator)
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    seed_everything(cfg.seed, verbose=False)
    data, network = _data_and_network(cfg)
    contexts, targets = next(iter(data.train_dataloader()))
    _require_more_than_one(network, data)
    with _naming("init"):
        scheme = instantiate(cfg.init, _convert_="all")
        scheme(network, torch.Generator().manual_seed(cfg.seed), contexts)
    with _naming("optimizer"):
        optimizer = instantiate(cfg.optimizer, _convert_="all")
        tried = optimizer(network.parameters())  # Lightning makes its own, when fit has begun
        finite_and_not_negative(lr=float(tried.param_groups[0]["lr"]))
    with _naming("scheduler"):
        scheduler = instantiate(cfg.scheduler, _convert_="all")
        if scheduler is not None:
            scheduler(tried, 1)
    model = LanguageModel(network, data.vocabulary, optimizer, scheduler)
    monitor = None
    if cfg.monitor is not None:
        with _naming("monitor"):
            monitor = _monitor(cfg, model, data)
        threshold = monitor.settings.saturation_threshold
        monitor.prediction = predict_network(network, scheme, contexts, threshold, targets)
    with _naming("logger"):
        logger = instantiate(cfg.logger, _convert_="all")
    checkpoints = Path(cfg.folder) / CHECKPOINTS
    callbacks: list[Callback] = [] if monitor is None else [monitor]
    last_checkpoint = LastCheckpoint(terminable, checkpoints)
    callbacks += [RandomState(), best_checkpoint(checkpoints), last_checkpoint]
    checkpoint_file = CheckpointFile()
    with _naming("trainer", RuntimeError):  # of the variables of a SLURM job, say
        bar = cfg.trainer.enable_progress_bar
        trainer = instantiate(cfg.trainer, _convert_="all")(
            logger=logger,
            callbacks=callbacks,
            plugins=[checkpoint_file],
            enable_progress_bar=not in_sweep() if bar is None else bar,
        )
        _require_bounds(trainer, len(data.train_dataloader()))
        _require_an_end(trainer, scheduled=scheduler is not None)
        _require_processors(trainer)
    resumed = checkpoint_to_resume(cfg, Path(cfg.folder))
    accumulated = trainer.accumulate_grad_batches
    start = 0 if resumed is None else step_of(resumed, model, tried, accumulated)
    return Experiment(
        data, model, monitor, trainer, checkpoint_file, last_checkpoint, resumed, start
    )


def _data_and_network(cfg: DictConfig) -> tuple[CharacterData, MLP]:
    with _naming("data"):
        data: CharacterData = instantiate(cfg.data, _convert_="all")
        data.setup()
    with _naming("model"):
        network: MLP = instantiate(cfg.model, _convert_="all")(
            embedding_rows=data.embedding_rows,
            context_length=data.context_length,
            classes=data.embedding_rows,
        )
    return data, network


def _monitor(cfg: DictConfig, model: LanguageModel, data: CharacterData) -> LayerMonitor:
    monitor: LayerMonitor = instantiate(cfg.monitor, _convert_="all")
    monitor.layers_of(model)
    if monitor.settings.classes is None:
        monitor.settings = replace(monitor.settings, classes=data.embedding_rows)
    return monitor


def _require_more_than_one(network: MLP, data: CharacterData) -> None:
    """An example is no batch to a batch norm: its variance would be 0."""
    if network.norm == "batch" and min(len(targets) for _, targets in data.train_dataloader()) < 2:
        raise ValueError(
            "model.norm=batch needs at least 2 examples in every batch, got a batch of 1 with "
            f"data.batch_size={data.batch_size}"
        )


def _require_bounds(trainer: Trainer, batches: int) -> None:
    """Bounds that Lightning leaves to the first step, or to nobody; `batches` are an epoch's."""
    every, every_n_epoch = trainer.val_check_interval, trainer.check_val_every_n_epoch
    at_least(1, accumulate_grad_batches=trainer.accumulate_grad_batches)
    if every_n_epoch is not None:
        at_least(1, check_val_every_n_epoch=every_n_epoch)
    for name, share in (
        ("limit_train_batches", trainer.limit_train_batches),
        ("val_check_interval", every),
    ):
        if share == 0:
            raise ValueError(f"{name} must be above 0, got 0")
    if isinstance(every, int) and every_n_epoch is not None and every > batches:
        raise ValueError(
            f"val_check_interval must be at most {batches}, the batches of an epoch, got {every}"
        )


def _require_an_end(trainer: Trainer, *, scheduled: bool) -> None:
    """Lightning takes 0 for a training of no step, and -1 for one without an end."""
    for key in ("max_steps", "max_epochs"):
        if getattr(trainer, key) == 0:
            raise ValueError(f"{key} must be at least 1, or -1 for no bound, got 0")
    if scheduled and trainer.max_steps == -1 and trainer.max_epochs == -1:
        raise ValueError(
            "max_epochs must be at least 1, for the scheduler goes over the whole run, got -1 "
            "and trainer.max_steps=-1"
        )


def _require_processors(trainer: Trainer) -> None:
    """On the CPU a device is a process, each a copy of this one: 99 of them stop the machine."""
    there = max(os.cpu_count() or 1, 2)  # two show what several do, on any machine
    if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > there:
        raise ValueError(
            f"devices must be at most {there}, the processors of this machine, "
            f"got {trainer.num_devices}"
        )


@contextmanager
def _naming(group: str, *also: type[Exception]) -> Iterator[None]:
    """Within, whatever refuses a setting of `group` is a ValueError that begins with the key.

    Args:
        also: what else the group raises of settings.
    """
    try:
        yield
    except InstantiationException as error:  # Hydra knows the place in the group
        raise ValueError(with_typed(group, sentence(error), typed())) from error
    except Exception as error:
        if not isinstance(error, (*_OF_SETTINGS, *also)):
            raise
        told = with_key(group, sentence(error))
        raise ValueError(with_typed(group, told, typed())) from error
