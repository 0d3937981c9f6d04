"""What layers are called: the paths of their modules, as far as these say something."""

import re
from collections.abc import Collection
from itertools import count

from torch import nn

from layerscope.record.distributed.shards import class_of

_LISTS = (nn.Sequential, nn.ModuleList)
# What torch.compile, FSDP and Lightning's strategies put between a module and its parent.
_WRAPPER = re.compile(r"(^|\.)(_orig_mod|_fsdp_wrapped_module|_forward_module)(?=\.|$)")


def unwrapped(path: str) -> str:
    """A module's path without what compilers and strategies put into it."""
    return _WRAPPER.sub("", path).removeprefix(".")


def common_prefix(paths: list[str]) -> str:
    """What all paths begin with, up to and including a dot; "" for no path."""
    first, *others = [path.split(".")[:-1] for path in paths] or [[]]
    shared: list[str] = []
    for depth, part in enumerate(first):
        if any(len(other) <= depth or other[depth] != part for other in others):
            break
        shared.append(part)
    return ".".join([*shared, ""]) if shared else ""


def first_free(base: str, taken: Collection[str], start: int = 0) -> str:
    """The first of base, base_1, base_2, ... that is not taken, from a number on."""
    names = (f"{base}_{order}" if order else base for order in count(start))
    return next(name for name in names if name not in taken)


def label_of(path: str, module: nn.Module, prefix: str, network: nn.Module) -> str:
    """What a layer is called: `place_of` it, and its class before a place that ends with a
    position: `relu_features.9`.
    """
    place = place_of(path, module, prefix, network)
    ends_with_position = place.rpartition(".")[2].isdigit()
    return f"{class_of(module).__name__.lower()}_{place}" if ends_with_position else place


def place_of(path: str, module: nn.Module, prefix: str, network: nn.Module) -> str:
    """Where a module is: its path without what all paths begin with, never a bare position.

    A path that then begins with a position gets the name of the list that it counts in,
    `layers.0.attention`, or of the class that it stands for, `block.0.conv`; the class stands for
    a path of nothing but positions.

    Args:
        prefix: what the paths of all layers begin with, as `common_prefix` gives it.
        network: what the paths start from.
    """
    place = path.removeprefix(prefix) if path.startswith(prefix) else ""
    first, *rest = place.split(".")
    if all(part.isdigit() or not part for part in (first, *rest)):
        return class_of(module).__name__.lower()
    if not first.isdigit():
        return place
    above = prefix.split(".")[-2] if prefix else ""
    if above and not above.isdigit():
        return f"{above}.{place}"
    child = dict(network.named_children()).get(first)
    if child is None or class_of(child) in _LISTS:
        return ".".join(rest)
    return f"{class_of(child).__name__.lower()}.{place}"
