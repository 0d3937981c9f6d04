"""What layers are called: the paths of their modules, as far as these say something."""

from __future__ import annotations

import re

from torch import nn

from layerscope.record.shards import class_of

_WRAPPER = re.compile(r"(^|\.)(_orig_mod|_fsdp_wrapped_module|_forward_module)(?=\.|$)")


def unwrapped(path: str) -> str:
    """A module's path without what compilers and strategies put into it."""
    return _WRAPPER.sub("", path).removeprefix(".")


def common_prefix(paths: list[str]) -> str:
    """What all paths begin with, up to and including a dot."""
    first, *others = [path.split(".")[:-1] for path in paths]
    shared: list[str] = []
    for depth, part in enumerate(first):
        if any(len(other) <= depth or other[depth] != part for other in others):
            break
        shared.append(part)
    return ".".join([*shared, ""]) if shared else ""


def label_of(path: str, module: nn.Module) -> str:
    """What a module is called: its path, or its class where that is nothing but positions."""
    only_positions = all(part.isdigit() or not part for part in path.split("."))
    return class_of(module).__name__.lower() if only_positions else path
