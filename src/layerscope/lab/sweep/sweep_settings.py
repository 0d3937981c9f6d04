"""The keys below `sweep` in conf/train.yaml, with their types and bounds."""

from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from layerscope.arguments import one_of
from layerscope.lab.signature import as_typed, check_arguments
from layerscope.lab.sweep.objective import OBJECTIVES


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """How a sweep runs, as conf/train.yaml says of each key."""

    folder: str | int
    resume: bool
    objective: str


def check_sweep(cfg: DictConfig) -> None:
    """Refuse the keys of `cfg.sweep` that are of another type or unknown.

    Raises:
        ValueError: one sentence with the key, what it must be, and the value.
        OmegaConfBaseException: a value refers to one that there is not.
    """
    node = cfg.get("sweep")
    if not isinstance(node, DictConfig):
        raise ValueError(f"sweep must be a mapping, got {as_typed(node)}")
    settings = OmegaConf.to_container(node, resolve=False)
    assert isinstance(settings, dict)
    check_arguments(SweepSettings, {str(key): value for key, value in settings.items()}, "sweep")
    one_of(OBJECTIVES, **{"sweep.objective": settings.get("objective")})
