"""What a finding's first remedy says, done to a training by a program, where a program can."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

_ACTIVATIONS = (nn.Sigmoid, nn.Softmax, nn.Tanh, nn.ReLU, nn.Softplus, nn.LogSoftmax)


class ByHandError(Exception):
    """What is to be changed is written in a forward or in a loop, where a program cannot."""


@dataclass
class Remedy:
    """What is done to a network before it trains, and to an optimizer before its first step, before
    each and after each.
    """

    network: Any = None
    optimizer: Any = None
    each_step: Any = None
    after_step: Any = None


def remedy_for(finding):
    """The remedy of a finding; None where it takes a person: to look at data, to rewrite a loss."""
    return _BY_RULE.get(finding.rule, lambda _: None)(finding)


def rate_times(factor):
    """Around each step, so that a schedule goes on as it would."""

    def change(by):
        def multiply(optimizer, _):
            for group in optimizer.param_groups:
                group["lr"] *= by

        return multiply

    return Remedy(each_step=change(factor), after_step=change(1 / factor))


def _weighted(network):
    kinds = (nn.Linear, nn.modules.conv._ConvNd)
    return [module for module in network.modules() if isinstance(module, kinds)]


def _started(init):
    """Weights drawn anew, biases of zero; embeddings as in BERT."""

    @torch.no_grad()
    def change(network):
        for module in _weighted(network):
            init(module.weight)
            if module.bias is not None:
                module.bias.zero_()
        for module in network.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, 0, 0.02)

    return Remedy(network=change)


def _standardised_inputs(_):
    def change(network):
        known = {}

        def scale(module, inputs, named):
            def scaled(name, x):
                if not (isinstance(x, torch.Tensor) and x.is_floating_point()):
                    return x
                if name not in known:  # of the first batch: features last, or channels second
                    axes = [a for a in range(x.ndim) if a != (1 if x.ndim > 3 else x.ndim - 1)]
                    mean, std = x.mean(axes, keepdim=True), x.std(axes, keepdim=True)
                    known[name] = mean, std.clamp(min=1e-6)
                return (x - known[name][0]) / known[name][1]

            inputs = tuple(scaled(place, x) for place, x in enumerate(inputs))
            return inputs, {name: scaled(name, x) for name, x in named.items()}

        network.register_forward_pre_hook(scale, with_kwargs=True)

    return Remedy(network=change)


def _last_function(replacement):
    """Another module, or none, at the end of a network that is a Sequential."""

    def change(network):
        *_, (name, last) = network.named_children()
        if not (isinstance(network, nn.Sequential) and isinstance(last, _ACTIVATIONS)):
            raise ByHandError
        network._modules[name] = replacement

    return Remedy(network=change)


def _softmax_over_classes(_):
    def change(network):
        found = [m for m in network.modules() if isinstance(m, nn.Softmax | nn.LogSoftmax)]
        if not found:
            raise ByHandError
        for module in found:
            module.dim = -1

    return Remedy(network=change)


def _batch_first(_):
    def change(network):
        for module in network.modules():
            if hasattr(module, "batch_first"):
                module.batch_first = True

    return Remedy(network=change)


def _given_to_the_optimizer(_):
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

    return Remedy(optimizer=change)


def _every_step(change):
    return lambda _: Remedy(each_step=change)


def _cleared(_, network):
    network.zero_grad()


def _held_rate(optimizer, _):
    for group in optimizer.param_groups:
        group["best"] = max(group["lr"], group.get("best", group.get("initial_lr", 0.0)))
        group["lr"] = group["best"]


def _same_rates(optimizer, _):
    rate = max(group["lr"] for group in optimizer.param_groups)
    for group in optimizer.param_groups:
        group["lr"] = rate


def _with_functions_between(_):
    def change(network):
        if not isinstance(network, nn.Sequential):
            raise ByHandError
        for module in list(network.modules()):
            parts = list(module.children())
            if isinstance(module, nn.Sequential):
                module._modules.clear()
                for part in parts:
                    if len(module) and isinstance(part, nn.Linear):
                        before = list(module.children())[-1]
                        if isinstance(before, nn.Linear):
                            module.append(nn.ReLU())
                    module.append(part)

    return Remedy(network=change)


def _less_dropout(_):
    def change(network):
        for module in network.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.p = min(module.p, 0.3)

    return Remedy(network=change)


def _group(**values):
    def change(optimizer, _):
        for group in optimizer.param_groups:
            group |= {key: value for key, value in values.items() if key in group}

    return Remedy(optimizer=change)


def _less_decay(_):
    def change(optimizer, _):
        if not any(group.get("weight_decay") for group in optimizer.param_groups):
            raise ByHandError  # a penalty of the loop's own
        for group in optimizer.param_groups:
            group["weight_decay"] *= 0.001

    return Remedy(optimizer=change)


def _of_text(*known):
    """By what the remedy says: (words, remedy)."""

    def choose(finding):
        return next((made(finding) for words, made in known if words in finding.remedy), None)

    return choose


_SLOWER, _FASTER = (lambda _: rate_times(0.1)), (lambda _: rate_times(10))
_KAIMING = lambda _: _started(nn.init.kaiming_normal_)  # noqa: E731
_XAVIER = lambda _: _started(nn.init.xavier_normal_)  # noqa: E731


def _tanh_for_sigmoid(_):
    def change(network):
        for module in network.modules():
            for name, part in module.named_children():
                if isinstance(part, nn.Sigmoid) and part is not list(network.modules())[-1]:
                    setattr(module, name, nn.Tanh())
        _XAVIER(None).network(network)

    return Remedy(network=change)


_STARTS = (
    ("nn.Tanh()", _tanh_for_sigmoid),
    ("orthogonal", lambda _: _started(nn.init.orthogonal_)),
    ("kaiming", _KAIMING),
    ("xavier", _XAVIER),
)


def _smaller_last(_):
    @torch.no_grad()
    def change(network):
        last = _weighted(network)[-1] if _weighted(network) else None
        for module in network.modules():
            if isinstance(module, nn.Embedding):
                module.weight.mul_(module.embedding_dim**-0.5 / module.weight.std())
        if last is not None:
            nn.init.kaiming_normal_(last.weight, nonlinearity="linear")
            if last.bias is not None:
                last.bias.zero_()

    return Remedy(network=change)


def _clipped(optimizer, network):
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)


_BY_RULE = {
    "input_scale": _standardised_inputs,
    "loss_after_activation": _of_text(
        ("Softmax(1) as the last", lambda _: _last_function(nn.Softmax(1))),
        ("", lambda _: _last_function(nn.Identity())),
    ),
    "target_out_of_range": _of_text(
        ("no function after", lambda _: _last_function(nn.Identity())),
    ),
    "softmax_of_one": _of_text(
        ("a sigmoid in its place", lambda _: _last_function(nn.Sigmoid())),
        ("no function in its place", lambda _: _last_function(nn.Identity())),
    ),
    "softmax_over_batch": _softmax_over_classes,
    "sequence_over_batch": _batch_first,
    "not_optimized": _given_to_the_optimizer,
    "not_registered": _of_text(("ModuleList", _given_to_the_optimizer)),
    "gradients_accumulate": lambda _: Remedy(after_step=_cleared),
    "in_evaluation_mode": lambda _: Remedy(
        network=nn.Module.train, each_step=lambda _, network: network.train()
    ),
    "constant_weights": _KAIMING,
    "overconfident_start": _smaller_last,
    "linear_chain": _with_functions_between,
    "dropout_high": _less_dropout,
    "loss_reduction": lambda finding: rate_times(1 / finding.value),
    "loss_diverged": _SLOWER,
    "loss_rising": _of_text(("maximize=False", lambda _: _group(maximize=False))),
    "loss_not_falling": _of_text(
        ("ten times what it is", _FASTER), ("hundred times what it is", lambda _: rate_times(100))
    ),
    "update_too_large": _SLOWER,
    "update_too_small": lambda finding: rate_times(10.0 ** (-3 - round(finding.value))),
    "stalled": _of_text(("the same optimizer.lr", _every_step(_same_rates))),
    "learning_rate_gone": _of_text(("once an epoch", _every_step(_held_rate))),
    "weights_decay_to_zero": _less_decay,
    "gradient_spike": _every_step(_clipped),
    "saturated": _of_text(("smaller optimizer.lr", _SLOWER), *_STARTS),
    "dead_units": _of_text(("smaller optimizer.lr", _SLOWER), *_STARTS),
    "idle": _of_text(*_STARTS),
    "collapsed": _of_text(*_STARTS),
    "vanishing_gradient": _of_text(*_STARTS),
    "exploding_gradient": _of_text(*_STARTS),
    "not_finite": _of_text(
        ("eps that its type can hold", lambda _: _group(eps=1e-4)),
        ("a smaller optimizer.lr;", _SLOWER),
    ),
}


def improved(before, after):
    """Whether a loss, or what stands for one, is lower by more than 2 % of its size; NaN is none.

    >>> improved(2.0, 1.9), improved(2.0, 1.99), improved(math.nan, 3.0), improved(1.0, math.nan)
    (True, False, True, False)
    """
    if not math.isfinite(after):
        return False
    return not math.isfinite(before) or after < before - 0.02 * abs(before)
