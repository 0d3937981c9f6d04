"""Is a composed config one that can be run? Asked before anything is started or written."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from omegaconf import DictConfig

from layerscope.lab.signature import arguments_of, as_typed, check_arguments, check_node
from layerscope.lab.sweep.fingerprint import settings_of
from layerscope.lab.sweep.sweep_settings import check_sweep
from layerscope.lab.trusted import trust_is_typed
from layerscope.training.run_settings import RunSettings

_MINUS_ONE = {
    "max_steps": "for no bound",
    "max_epochs": "for no bound",
    "num_sanity_val_steps": "for all",
    "devices": "for all",
}
_NEVER_0 = ("max_steps", "max_epochs")  # see `_require_an_end` in experiment.py
_LATER = ("model", "optimizer", "scheduler", "trainer")
"""Groups of which a training knows some arguments only when it makes the part."""


def check(cfg: DictConfig, typed: Sequence[str] = ()) -> None:
    """Refuse a config whose keys or types are not those of what it calls.

    The top of the config answers to `RunSettings`, every node to the signature of its `_target_`.
    Bounds that only a constructor knows show when it is called.

    Args:
        cfg: composed of conf/train.yaml.
        typed: overrides. The nodes that they change are checked first: whoever mistypes
            `init.gain` does not wait for Lightning, which the trainer's signature takes.

    Raises:
        ValueError: one sentence with the key, what it must be, and the value. `trust` must be
            among what was typed: a config that somebody sent does not vouch for itself.
        OmegaConfBaseException: a value refers to one that there is not.
    """
    check_sweep(cfg)
    check_settings(settings_of(cfg), typed)


def check_settings(settings: Mapping[str, Any], typed: Sequence[str] = ()) -> None:
    """`check`, of a config as plain types and without `folder`, `sweep` and `hydra`."""
    for key in arguments_of(RunSettings) or ():
        if key not in settings:
            raise ValueError(f"{key} must be given, got a config without it")
    check_arguments(RunSettings, settings)
    trust = RunSettings(**settings).trust
    if trust and not trust_is_typed(typed):
        raise ValueError(
            f"trust must be typed on the command line, got {as_typed(list(trust))} in a config: "
            "no config vouches for itself"
        )
    for key in ("trainer", "optimizer"):
        _check_bounds(settings[key], key)
    changed = {override.lstrip("+~").partition("=")[0].partition(".")[0] for override in typed}
    for key in sorted(settings, key=lambda key: key not in changed):
        if isinstance(settings[key], Mapping):
            if "_target_" not in settings[key]:
                raise ValueError(f"{key}._target_ must be given, got a mapping without it")
            check_node(settings[key], key, trust)
            if settings[key].get("_partial_", False) is not (key in _LATER):
                there = as_typed(settings[key].get("_partial_"))
                raise ValueError(f"{key}._partial_ must be {as_typed(key in _LATER)}, got {there}")


def _check_bounds(node: Mapping[str, Any], path: str) -> None:
    """Refuse a negative number, which Lightning takes for most keys and does not mean.

    Here, so that nobody waits for Lightning's or torch's import to hear of it.
    """
    for key, value in node.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        minus_one = key in _MINUS_ONE
        if not isfinite(value) or (value < 0 and not (minus_one and value == -1)):
            least = 1 if key in _NEVER_0 else 0
            bound = f"at least {least}, or -1 {_MINUS_ONE[key]}" if minus_one else "at least 0"
            raise ValueError(f"{path}.{key} must be a finite number of {bound}, got {value}")
