"""The keys at the top of conf/train.yaml, with their types and bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from layerscope.arguments import at_least, at_most

_LARGEST_SEED = 2**32 - 1  # NumPy's, which Lightning seeds too


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What a run is asked for, as conf/train.yaml says of each key; a group of the config stands as
    its mapping.

    `folder` and `sweep`, which say where it is asked, are not here.

    Raises:
        ValueError: an argument is out of its bounds.
    """

    name: str | int
    seed: int
    threads: int | None
    resume: bool
    ckpt_path: str | None
    names: int
    report: bool
    trust: Sequence[str]
    debug: bool
    accelerator: str
    data: Mapping[str, Any]
    model: Mapping[str, Any]
    init: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    trainer: Mapping[str, Any]
    logger: Mapping[str, Any]
    scheduler: Mapping[str, Any] | None
    monitor: Mapping[str, Any] | None

    def __post_init__(self) -> None:
        name = PurePath(str(self.name))
        if not name.parts or name.is_absolute() or ".." in name.parts:
            raise ValueError(f"name must be that of a folder below logs/, got {str(self.name)!r}")
        at_least(0, seed=self.seed, names=self.names)
        at_most(_LARGEST_SEED, seed=self.seed)
        at_most(10_000, names=self.names)
        if self.threads is not None:
            at_least(1, threads=self.threads)
            at_most(1024, threads=self.threads)  # torch dies of 100,000
