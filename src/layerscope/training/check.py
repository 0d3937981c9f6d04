"""Is a composed config one that can be run? Asked before anything is started or written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omegaconf import DictConfig

from layerscope.lab.signature import arguments_of, as_typed, check_arguments, check_node
from layerscope.lab.sweep.fingerprint import settings_of
from layerscope.training.run_settings import RunSettings


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
    settings = settings_of(cfg)
    for key in arguments_of(RunSettings) or ():
        if key not in settings:
            raise ValueError(f"{key} must be given, got a config without it")
    check_arguments(RunSettings, settings)
    trust = RunSettings(**settings).trust
    if trust and not any(override.lstrip("+").startswith("trust=") for override in typed):
        raise ValueError(
            f"trust must be typed on the command line, got {as_typed(list(trust))} in a config: "
            "no config vouches for itself"
        )
    changed = {override.lstrip("+~").partition("=")[0].partition(".")[0] for override in typed}
    for key in sorted(settings, key=lambda key: key not in changed):
        if isinstance(settings[key], Mapping):
            check_node(settings[key], key, trust)
