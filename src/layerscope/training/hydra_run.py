"""What Hydra knows of the run at hand."""

from typing import cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from layerscope.lab.typed_overrides import typed_overrides


def in_sweep() -> bool:
    """Whether this run is one of many."""
    return HydraConfig.initialized() and HydraConfig.get().mode is RunMode.MULTIRUN


def typed() -> tuple[str, ...]:
    """The overrides of this run, as on the command line; none outside of Hydra's main."""
    if not HydraConfig.initialized():
        return ()
    return tuple(typed_overrides(cast(DictConfig, HydraConfig.get())))


def choices() -> dict[str, str]:
    """The choice in each group of the config, such as init: kaiming; none outside Hydra's main."""
    return dict(HydraConfig.get().runtime.choices) if HydraConfig.initialized() else {}
