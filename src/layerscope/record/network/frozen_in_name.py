"""Modules that somebody meant to freeze by an attribute that torch does not know."""

from torch import nn


def frozen_in_name(network: nn.Module) -> dict[int, str]:
    """Of each parameter below a module with `requires_grad = False` its `id`, and the module's
    path: a module has no such attribute, but the method `requires_grad_`.
    """
    found: dict[int, str] = {}
    for path, module in network.named_modules():
        # Not by getattr: what a class has, or makes up, is another matter.
        if module.__dict__.get("requires_grad") is False:
            for parameter in module.parameters():
                found.setdefault(id(parameter), path)
    return found
