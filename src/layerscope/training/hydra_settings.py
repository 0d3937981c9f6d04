"""What Hydra itself would run of its settings, `hydra.*`, asked before it does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, ListConfig
from omegaconf.errors import OmegaConfBaseException

from layerscope.lab.conf_folder import searched
from layerscope.lab.signature import as_typed
from layerscope.lab.trusted import resolve_trusted, trust_is_typed

_PLUGINS = (
    *("layerscope", "hydra_plugins", "hydra._internal.core_plugins"),
    *("hydra.experimental.callbacks", "optuna.samplers"),
)
_LOGGING = ("logging", "colorlog")
_CALLED = {"_target_": _PLUGINS, "class": _LOGGING, "()": _LOGGING}
"""By the key: the packages whose classes it may name. The last two are `logging.config`'s."""
_STREAMS = ("ext://sys.stdout", "ext://sys.stderr")


def check_somebodys(
    conf: Path, mine: Path | None, name: str, overrides: Sequence[str], *, sweeps: bool
) -> None:
    """Compose a config as Hydra will, and refuse what it would run that nobody has vouched for.

    Takes as long as composing does, 0.1 s for each choice that a sweep makes in a foreign group.

    Args:
        conf: the folder with train.yaml.
        mine: the folder of `--config-dir`.
        sweeps: whether `-m` was typed.

    Raises:
        ValueError: see `check_hydra`; so do the other errors of `BAD_SETTING`.
    """
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None

        def checked(extra: Sequence[str], mode: RunMode) -> DictConfig:
            config = hydra.compose_config(
                name, [*overrides, *extra, *searched(mine)], mode, from_shell=False
            )
            trust = list(config.get("trust") or ()) if trust_is_typed(overrides) else ()
            check_hydra(config.hydra, trust)
            if not (config.hydra.get("callbacks") or {}).get("start"):
                raise ValueError(
                    "hydra.callbacks must have start, which checks the config, as conf/train.yaml "
                    f"does, got {name} without it"
                )
            return config

        config = checked((), RunMode.MULTIRUN)
        if not (sweeps or config.hydra.mode == RunMode.MULTIRUN):  # a search says so in its config
            checked((), RunMode.RUN)
            return
        parameters = config.hydra.sweeper.get("params") or {}
        swept = [*(f"{key}={value}" for key, value in parameters.items()), *overrides]
        for each in OverridesParser.create(hydra.config_loader).parse_overrides(swept):
            if (
                each.is_sweep_override()
                and mine is not None
                and (mine / each.key_or_group).is_dir()
            ):
                for value in each.sweep_string_iterator():
                    checked((f"{each.get_key_element()}={value}",), RunMode.MULTIRUN)


def check_hydra(hydra: DictConfig, trust: Sequence[str] = ()) -> None:
    """Refuse a class or function that Hydra, or Python's logging for it, would call, unless it is
    one of Hydra's, of its plugins, of ours or of `logging`.

    A launcher's other settings, such as the shell commands of SLURM's, are not judged.

    Args:
        hydra: the node `hydra` of a composed config.
        trust: further packages that the user trusts.

    Raises:
        ValueError: one sentence with the key, what it may name, and what it names; so is a value
            that Hydra would assert the type of.
    """
    for group in ("launcher", "sweeper"):
        if not isinstance(hydra[group], DictConfig):
            told = as_typed(hydra[group])
            raise ValueError(f"hydra.{group} must be a mapping with a _target_, got {told}")
    if not isinstance(hydra.verbose, bool | str | ListConfig):
        told = as_typed(hydra.verbose)
        raise ValueError(f"hydra.verbose must be true, false or names of loggers, got {told}")
    waiting: list[tuple[str, Any]] = [("hydra", hydra)]
    while waiting:
        path, node = waiting.pop()
        for key in range(len(node)) if isinstance(node, ListConfig) else list(node):
            place = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}"
            value = _resolved(node, key, place)
            if isinstance(value, DictConfig | ListConfig):
                waiting.append((place, value))
            elif key in _CALLED and value is not None:
                resolve_trusted(value, place, trust, _CALLED[key])
            elif isinstance(value, str) and value.startswith("ext://") and value not in _STREAMS:
                raise ValueError(f"{place} must be {' or '.join(_STREAMS)}, got {value}")


def _resolved(node: DictConfig | ListConfig, key: Any, place: str) -> Any:
    """A value; None of one that Hydra fills in when a job starts."""
    try:
        return node[key]
    except OmegaConfBaseException as error:
        raw = str(node._get_node(key))
        if key in _CALLED or "oc." in raw:
            told = as_typed(raw)
            raise ValueError(f"{place} must be known before the run, got {told}") from error
        return None
