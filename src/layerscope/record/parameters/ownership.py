"""Which parameters the optimizers have."""

import inspect
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from layerscope.record.network.parts import parameters_of


@dataclass(frozen=True, slots=True)
class Ownership:
    """What the optimizers of a training have, all together.

    Attributes:
        owned: the `id` of each parameter that they have.
        rate_shares: of the parameters of an optimizer whose groups have several learning rates,
            that of its group / the largest.
        figures: by names of `STEP_FIGURES`, the largest of any group where groups differ.
    """

    owned: frozenset[int]
    rate_shares: Mapping[int, float]
    figures: Mapping[str, float]


def ownership(network: nn.Module, optimizers: Iterable[Optimizer]) -> Ownership:
    """Compare what optimizers have with what a network has; a microsecond per parameter."""
    optimizers = list(optimizers)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    owned = frozenset(id(parameter) for group in groups for parameter in group["params"])
    own = parameters_of(network)
    trained = [parameter for parameter in own.values() if parameter.requires_grad]
    elements = sum(parameter.numel() for parameter in trained)
    left = sum(parameter.numel() for parameter in trained if id(parameter) not in owned)
    decays = (float(group.get("weight_decay", 0) or 0) for group in groups)
    figures = {
        "unowned_share": left / elements if elements else 0.0,
        "foreign": float(len(owned - own.keys())),
        "weight_decay": max(decays, default=0.0),
        "maximize": float(any(group.get("maximize") is True for group in groups)),
        "beta_ratio": max(map(_beta_ratio, groups), default=0.0),
        "squares_averaged": min(filter(None, map(_squares_averaged, groups)), default=0.0),
        "momentum": max(map(_momentum, groups), default=0.0),
        "epsilon": max(map(_epsilon, groups), default=0.0),
        "epsilon_lost": float(any(map(_loses_epsilon, groups))),
        "wants_all_data": float(any(isinstance(each, _OF_ALL_DATA) for each in optimizers)),
        "rate_default": _default_rate(optimizers[0]) if optimizers else math.nan,
        "rate_asked": float(groups[0].get("initial_lr", math.nan)) if groups else math.nan,
    }
    return Ownership(owned, _rate_shares(optimizers), figures)


def given_to(optimizer: Optimizer) -> dict[int, nn.Parameter]:
    """The parameters that an optimizer has, by `id`; none where it has no groups, as a stand-in."""
    # By `id`, since a tensor's own hash is a call of Python.
    return {id(p): p for group in getattr(optimizer, "param_groups", ()) for p in group["params"]}


_LEAST_BETA = 1e-12
"""What stands for a beta2 of 0: JSON has no infinity."""


def _betas(group: Mapping[str, Any]) -> tuple[float, float] | None:
    betas = group.get("betas")
    if not isinstance(betas, tuple) or len(betas) != 2:
        return None
    return float(betas[0]), float(betas[1])


def _beta_ratio(group: Mapping[str, Any]) -> float:
    betas = _betas(group)
    return 0.0 if betas is None else betas[0] / math.sqrt(max(betas[1], _LEAST_BETA))


def _squares_averaged(group: Mapping[str, Any]) -> float:
    betas = _betas(group)
    return 0.0 if betas is None else 1 / (1 - betas[1])


def _momentum(group: Mapping[str, Any]) -> float:
    momentum, damped = group.get("momentum"), group.get("dampening", 0)
    return float(momentum) if isinstance(momentum, float) and damped == 0 else 0.0


def _epsilon(group: Mapping[str, Any]) -> float:
    epsilon = group.get("eps")
    return float(epsilon) if "betas" in group and isinstance(epsilon, float | int) else 0.0


_OF_ALL_DATA = (torch.optim.Rprop, torch.optim.LBFGS)
"""They compare gradients, or losses, of several steps as those of one function."""


def _default_rate(optimizer: Optimizer) -> float:
    """The learning rate that one of torch's own optimizers has if none is asked for; NaN of others,
    and where one has to be.
    """
    kind = type(optimizer)
    if not kind.__module__.startswith("torch.optim"):
        return math.nan
    told = _parameters_of(kind).get("lr")  # type: ignore[arg-type] # a class has a hash
    return float(told.default) if told and isinstance(told.default, float | int) else math.nan


@cache
def _parameters_of(kind: type[Optimizer]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(kind).parameters


_HALF_OF_SMALLEST = 2.0**-25
"""Of float16: what is not above it becomes 0."""


def _loses_epsilon(group: Mapping[str, Any]) -> bool:
    epsilon = group.get("eps")
    if not isinstance(epsilon, float) or epsilon > _HALF_OF_SMALLEST:
        return False
    return any(each.dtype == torch.float16 for each in group["params"])


def _rate_shares(optimizers: Iterable[Optimizer]) -> dict[int, float]:
    shares: dict[int, float] = {}
    for optimizer in optimizers:
        rates = [float(group.get("lr", 0) or 0) for group in optimizer.param_groups]
        if len(set(rates)) > 1:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                shares |= dict.fromkeys(map(id, group["params"]), rate / max(rates))
    return shares
