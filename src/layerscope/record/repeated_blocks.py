"""Which modules of a network are repeated blocks: those that a residual stream goes through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from torch import nn

from layerscope.record.layer_names import unwrapped
from layerscope.record.shards import class_of

FEWEST = 3
"""Modules of one class that make repeated blocks of it."""


def repeated_blocks(network: nn.Module) -> dict[nn.Module, str]:
    """The path of each module whose class stands at least three times in the network's lists and
    sequences (`nn.ModuleList`, `nn.Sequential`), in the order in which they were registered.

    Whether a residual stream goes through them shows when they are called.
    """
    listed = list(_listed(network))
    often = Counter(class_of(module) for _, module in listed)
    return {module: path for path, module in listed if often[class_of(module)] >= FEWEST}


def _listed(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for path, module in network.named_modules():
        if isinstance(module, (nn.ModuleList, nn.Sequential)):
            for name, part in module.named_children():
                yield f"{unwrapped(path)}.{name}".lstrip("."), part
