"""Where the files of each network of a script land."""

from collections.abc import Iterable
from pathlib import Path

from torch import nn

from layerscope.record.distributed.shards import class_of


def network_folder(folder: Path, network: nn.Module, earlier: Iterable[nn.Module]) -> Path:
    """A network's own folder among those of several: by its class, `GAN_2` of a second one.

    Args:
        earlier: its networks that are watched already.
    """
    name = class_of(network).__name__
    before = sum(class_of(each).__name__ == name for each in earlier)
    return folder / (f"{name}_{before + 1}" if before else name)
