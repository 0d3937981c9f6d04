"""Trains a program with a finding's remedy and without, and says whether that was of use."""

import contextlib
import math
import warnings
from unittest.mock import patch

import torch
from torch.nn import functional
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.remedies import improved, remedy_for
from tests.diagnose.programs.remedy import ByHandError, Remedy

_LAST = 10


def helps(program, finding, seed=0):
    """Whether the finding is gone with its remedy, and the program comes to a lower loss than
    without; None where only a person can apply it.
    """
    remedy = remedy_for(finding)
    if remedy is None:
        return None
    helped = _helps(program, finding, remedy, seed)
    if not helped and remedy.again is not None:
        helped = _helps(program, finding, remedy.again, seed)
    return helped


def _helps(program, finding, remedy, seed):
    try:
        treated = Treated(program, remedy)
        left = {each.rule for each in judged(treated, mended=False, seed=seed)}
        after = treated.losses
    except ByHandError:
        return None
    if finding.rule in left:
        return False
    if not remedy.comparable:
        return improved(_level(after[:_LAST]), _level(after[-_LAST:]))
    if remedy.in_evaluation:
        return improved(
            last_loss(program, None, seed, len(after)), last_loss(program, remedy, seed, len(after))
        )
    return improved(last_loss(program, remedy.measure, seed), _level(after[-_LAST:]))


def last_loss(program, remedy=None, seed=0, steps=None):
    """The mean of the last ten losses, without a look at the network.

    Args:
        program: trained in its faulty form.
        remedy: None for none.
        seed: of its weights and data.
        steps: how many the training has, for its last losses in evaluation mode.
    """
    torch.manual_seed(seed)
    treated = Treated(program, remedy or Remedy(), steps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        treated.run(False, lambda model: contextlib.nullcontext(Quiet()))
    return _level(treated.losses[-_LAST:])


def _level(losses):
    return sum(losses) / len(losses) if losses else math.nan


class Quiet:
    def step(self, loss=None):
        pass


class _Signed:
    """What is told of the loss has the sign that the remedy gives it."""

    def __init__(self, scope, sign):
        self._scope, self._sign = scope, sign

    def step(self, loss=None):
        self._scope.step(None if loss is None else self._sign * loss)


class Treated:
    """A program with a remedy; `losses` are what its training is measured by."""

    def __init__(self, program, remedy, steps=None):
        self.program, self.remedy, self.steps = program, remedy, steps
        self.losses = []

    def run(self, mended, watch):
        remedy, known = self.remedy, set()
        with contextlib.ExitStack() as stack:
            stack.enter_context(remedy.around())
            self._patch_losses(stack)

            @contextlib.contextmanager
            def treating(model):
                for change in (remedy.network, self._evaluating if self.steps else None):
                    if change is not None:
                        change(model)
                self._patch_backward(stack, model)

                def before(optimizer, args, kwargs):
                    if remedy.optimizer is not None and optimizer not in known:
                        known.add(optimizer)
                        remedy.optimizer(optimizer, model)
                    if remedy.each_step is not None:
                        remedy.each_step(optimizer, model)

                def after(optimizer, args, kwargs):
                    if remedy.after_step is not None:
                        remedy.after_step(optimizer, model)

                stack.callback(register_optimizer_step_pre_hook(before).remove)
                stack.callback(register_optimizer_step_post_hook(after).remove)
                with watch(model) as scope:
                    yield _Signed(scope, remedy.sign if remedy.treats else 1.0)

            self.program.run(mended, treating)
        if remedy.losses and not self.losses:
            raise ByHandError  # the loss is written otherwise

    def _patch_losses(self, stack):
        for name, loss in self.remedy.losses.items():
            original = getattr(functional, name)

            def noting(*arguments, original=original, loss=loss, **named):
                value, measured = loss(original, self.remedy.treats, *arguments, **named)
                self.losses.append(float(measured.detach()))
                return value

            stack.enter_context(patch.object(functional, name, noting))

    def _patch_backward(self, stack, model):
        remedy, backward = self.remedy, torch.Tensor.backward

        def noting(tensor, *arguments, **named):
            if not remedy.losses:
                self.losses.append(remedy.sign * tensor.detach().float().mean().item())
            if remedy.treats:
                tensor = remedy.sign * tensor
                tensor = tensor if remedy.beside is None else tensor + remedy.beside(model)
            return backward(tensor, *arguments, **named)

        stack.enter_context(patch.object(torch.Tensor, "backward", noting))

    def _evaluating(self, model):
        passes = [0]

        def look(network, _):
            passes[0] += 1
            if passes[0] > self.steps - _LAST:
                network.eval()

        model.register_forward_pre_hook(look)
