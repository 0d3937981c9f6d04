"""A net's training under Lightning, and what its folder says afterwards."""

import random

import lightning.pytorch as pl
import numpy as np
import torch

from layerscope import EventLogger
from layerscope.events.reader import read_run
from layerscope.sinks.figures_event import figures_of

EVERYTHING = ("activation", "activation_grad", "weight_grad", "weight")
"""The quantities that are measured at every step, if asked for."""


class Batches:
    """A list of batches; unlike a DataLoader, it draws nothing from the random state."""

    def __init__(self, batches):
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


def seed_all():
    """The three random states as every run in these tests starts with."""
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    random.seed(2)


def random_states():
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return torch.get_rng_state().tolist(), (kind, keys.tolist(), *rest), random.getstate()


def trainer_for(folder, *callbacks, **options):
    settings = {
        "max_epochs": 1,
        "limit_val_batches": 0,
        "accelerator": "cpu",
        "logger": EventLogger(folder),
        "log_every_n_steps": 1,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return pl.Trainer(callbacks=list(callbacks), **settings | options)


def fit(net, folder, *callbacks, batches=None, **options):
    """Train on the net's own batches from fixed random states; the trainer, for what it knows."""
    trainer = trainer_for(folder, *callbacks, **options)
    seed_all()
    data = Batches(net.batches() if batches is None else batches)
    trainer.fit(net, data, data)
    return trainer


def figures(folder):
    """Every step's figures, from the event files alone."""
    return figures_of(read_run(folder))
