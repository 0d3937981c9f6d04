"""Remedies of an optimizer: its rate, its parameters, and what becomes of gradients."""

import contextlib
from unittest.mock import patch

import torch
from torch import nn

from tests.diagnose.programs.remedy import ByHandError, Remedy


def rate_times(factor):
    """Around each step, so that a schedule goes on as it would."""

    def change(by):
        def multiply(optimizer, _):
            for group in optimizer.param_groups:
                group["lr"] *= by

        return multiply

    return Remedy(each_step=change(factor), after_step=change(1 / factor))


def given_to_the_optimizer(_):
    def change(optimizer, network):
        for module in network.modules():
            for name, value in list(vars(module).items()):
                if isinstance(value, list) and all(isinstance(v, nn.Module) for v in value):
                    delattr(module, name)
                    setattr(module, name, nn.ModuleList(value))
                elif isinstance(value, dict) and not name.startswith("_"):
                    delattr(module, name)
                    setattr(module, name, nn.ModuleDict(value))
        given = {p for group in optimizer.param_groups for p in group["params"]}
        left = [p for p in network.parameters() if p.requires_grad and p not in given]
        if left:
            optimizer.add_param_group({"params": left})

    return Remedy(each_step=change)  # what is unfrozen later, too


def with_divided_gradients(factor):
    """As a gradient scaler's own step has them."""

    def divide(_, network):
        for parameter in network.parameters():
            if parameter.grad is not None:
                parameter.grad /= factor

    return Remedy(each_step=divide)


def every_step(change):
    return lambda _: Remedy(each_step=change)


def cleared(_, network):
    network.zero_grad()


def cleared_before_each_pass(network):
    network.register_forward_pre_hook(lambda *_: network.zero_grad())


def held_rate(optimizer, _):
    for group in optimizer.param_groups:
        group["best"] = max(group["lr"], group.get("best", group.get("initial_lr", 0.0)))
        group["lr"] = group["best"]


def same_rates(optimizer, _):
    rate = max(group["lr"] for group in optimizer.param_groups)
    for group in optimizer.param_groups:
        group["lr"] = rate


def group(**values):
    def change(optimizer, _):
        for group in optimizer.param_groups:
            group |= {key: value for key, value in values.items() if key in group}

    return Remedy(optimizer=change)


def less_decay(_):
    def change(optimizer, _):
        if not any(group.get("weight_decay") for group in optimizer.param_groups):
            raise ByHandError  # a penalty of the loop's own
        for group in optimizer.param_groups:
            group["weight_decay"] *= 0.001

    return Remedy(optimizer=change)


def clipped(optimizer, network):
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)


def clipped_in_time(_):
    """What the loop clips with is kept, and done before the next step."""
    clip, known = nn.utils.clip_grad_norm_, []

    def later(parameters, *arguments, **named):
        known[:] = [(arguments, named)]
        return torch.tensor(0.0)

    def before(_, network):
        for arguments, named in known:
            clip(network.parameters(), *arguments, **named)

    return Remedy(each_step=before, around=lambda: patch.object(nn.utils, "clip_grad_norm_", later))


def cleared_after_the_step(_):
    @contextlib.contextmanager
    def around():
        def nothing(self, set_to_none=True):
            pass

        with (
            patch.object(torch.optim.Optimizer, "zero_grad", nothing),
            patch.object(nn.Module, "zero_grad", nothing),
        ):
            yield

    def clear(_, network):
        for parameter in network.parameters():
            parameter.grad = None

    return Remedy(after_step=clear, around=around)


_CLASSES = ("SGD", "Adam", "AdamW", "NAdam", "RMSprop")


def made_once(_):
    """Whoever makes an optimizer again gets the one that there is."""

    @contextlib.contextmanager
    def around():
        made = {}

        def once(kind):
            def make(*arguments, **named):
                if kind not in made:
                    made[kind] = kind(*arguments, **named)
                return made[kind]

            return make

        with contextlib.ExitStack() as stack:
            for name in _CLASSES:
                kind = getattr(torch.optim, name)
                stack.enter_context(patch.object(torch.optim, name, once(kind)))
            yield

    return Remedy(around=around)
