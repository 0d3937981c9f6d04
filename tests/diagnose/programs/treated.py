"""Trains a program with a remedy and without, and says whether it came to a lower loss."""

import contextlib
import math
import warnings
from unittest.mock import patch

import torch
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from tests.diagnose.programs.remedies import ByHandError, improved, remedy_for

_LAST = 10


class _Quiet:
    def step(self, loss=None):
        pass


def last_loss(program, remedy=None, seed=0):
    """The mean of the last ten losses from which backward started."""
    torch.manual_seed(seed)
    losses, handles, known = [], [], set()
    backward = torch.Tensor.backward

    def noting(tensor, *arguments, **named):
        losses.append(tensor.detach().float().mean().item())
        return backward(tensor, *arguments, **named)

    @contextlib.contextmanager
    def watch(model):
        if remedy is not None and remedy.network is not None:
            remedy.network(model)

        def before(optimizer, args, kwargs):
            if remedy is None:
                return
            if remedy.optimizer is not None and optimizer not in known:
                known.add(optimizer)
                remedy.optimizer(optimizer, model)
            if remedy.each_step is not None:
                remedy.each_step(optimizer, model)

        def after(optimizer, args, kwargs):
            if remedy is not None and remedy.after_step is not None:
                remedy.after_step(optimizer, model)

        handles.append(register_optimizer_step_pre_hook(before))
        handles.append(register_optimizer_step_post_hook(after))
        yield _Quiet()

    try:
        with warnings.catch_warnings(), patch.object(torch.Tensor, "backward", noting):
            warnings.simplefilter("ignore", UserWarning)
            program.run(False, watch)
    finally:
        for handle in handles:
            handle.remove()
    return sum(losses[-_LAST:]) / _LAST if losses else math.nan


def helps(program, finding, seed=0):
    """Whether the program comes to a lower loss with the finding's remedy than without; None where
    only a person can apply it.
    """
    remedy = remedy_for(finding)
    if remedy is None:
        return None
    try:
        after = last_loss(program, remedy, seed)
    except ByHandError:
        return None
    return improved(last_loss(program, None, seed), after)
