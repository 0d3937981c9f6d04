"""A command line that cannot be run is answered in one sentence, before anything is written."""

import os
import sys
import traceback
from argparse import ArgumentError, ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from layerscope.exit_codes import ExitCode
from layerscope.lab.conf_folder import searched
from layerscope.lab.own_configs import own_configs
from layerscope.lab.sentence import BAD_SETTING, NO_CONFIG, sentence, unknown_choice
from layerscope.lab.signature import as_typed
from layerscope.lab.status import RunStatus
from layerscope.lab.sweep.fingerprint import versions
from layerscope.lab.typed_overrides import typed_overrides
from layerscope.refusal import refuse
from layerscope.training.check import check
from layerscope.training.hydra_settings import check_somebodys
from layerscope.training.run_folder import check_folder, has_default_folder, run_folder
from layerscope.training.termination import Terminable, Terminated, stopped_by
from layerscope.training.usage import usage


def start(main: Callable[[], object], conf: Path, typed: str) -> int:
    """Call Hydra's main; what the command line gets wrong is one sentence on stderr.

    All of Hydra's own flags work as they do without it, and `--help` alone is faster. Nothing here
    imports torch.

    Args:
        main: decorated by `hydra.main`.
        conf: the folder that it composes from. What a user's `--config-dir` has is added to it.
        typed: the words before the settings: "python train.py".

    Returns:
        The exit code.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra raises, where it would print and exit with 1
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console may know no tick mark
    arguments = sys.argv[1:] = [quoted(each) for each in sys.argv[1:]]
    groups = groups_in(conf)
    try:
        for argument in arguments:
            if any("\ud800" <= each <= "\udfff" for each in argument):
                raise ValueError(
                    f"{argument} must be text that this console can spell, which knows "
                    f"{sys.getfilesystemencoding()} only: set PYTHONUTF8=1"
                )
        mine, others = added_folder(arguments)
        if mine is not None:
            for group, choices in groups_in(mine).items():
                groups[group] = sorted({*groups.get(group, ()), *choices})
        overrides = [each for each in others if each not in ("--help", "-h")]
        with Terminable(), own_configs(mine):
            if overrides != others and not any(each.startswith("-") for each in overrides):
                print(usage(conf, groups, overrides, typed, mine))
            else:
                flags = _flags(arguments)
                sets_hydra = any(each.lstrip("+~").startswith("hydra.") for each in flags.overrides)
                try:
                    if mine or flags.config_name or sets_hydra:
                        name = flags.config_name or "train"
                        check_somebodys(conf, mine, name, flags.overrides, sweeps=flags.multirun)
                    main()
                except SystemExit as ended:
                    if flags.cfg is None or ended.code != 1:
                        raise
                    return ExitCode.BAD_SETTING  # Hydra has told that there is no such --package
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except (*BAD_SETTING, *NO_CONFIG, TypeError) as error:
        told = wrong_choice(arguments, groups)
        if isinstance(error, TypeError) and told is None:
            raise
        told = told or sentence(error, groups)
        return refused(told, debug="debug=true" in map(str.lower, arguments))
    return ExitCode.FINISHED


def quoted(argument: str) -> str:
    """An override, with quotes around a value of letters that Hydra's grammar does not know.

    >>> quoted("folder=runs/münchen"), quoted("seed=3"), quoted("name='für mich'")
    ("folder='runs/münchen'", 'seed=3', "name='für mich'")
    """
    key, _, value = argument.partition("=")
    plain = not value.isascii() and value.isprintable() and not set(value) & set("'\"\\[]{}(),$")
    return f"{key}='{value}'" if plain and key.isascii() else argument


def _flags(arguments: Sequence[str]) -> Namespace:
    """Hydra's flags; ValueError, without the list of all flags, if there is no such flag."""
    parser = get_args_parser()
    parser.error = _refuse_flags  # type: ignore[method-assign]
    flags: Namespace = parser.parse_args(arguments)
    for flag in ("package", "resolve"):
        if getattr(flags, flag) and flags.cfg is None:
            raise ValueError(f"--{flag} must stand beside --cfg, which prints the config")
    return flags


def _refuse_flags(message: str) -> NoReturn:
    if message.startswith("unrecognized arguments") and "=" in message:
        settings = message.partition(": ")[2]
        raise ValueError(
            f"settings must stand side by side, without a flag between, got {settings}"
        )
    raise ValueError(message)


def refused(told: str, *, debug: bool) -> int:
    """Answer a bad setting with a sentence, below its traceback if debug; the exit code."""
    if debug:
        traceback.print_exc()
    return refuse(told)


def added_folder(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The user's own config folder, as Hydra's `--config-dir` names it, and the other arguments.

    Raises:
        ValueError: it is not there; or another config is to take the place of ours.
    """
    parser = ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config-dir", "-cd", type=Path)
    parser.add_argument("--config-path", "-cp")
    parser.add_argument("--experimental-rerun")
    try:
        known, others = parser.parse_known_args(list(arguments))
    except ArgumentError as error:
        raise ValueError(str(error)) from None
    if known.config_path is not None:
        raise ValueError(
            f"--config-path must be left out, got {known.config_path}: --config-dir adds configs"
        )
    if known.experimental_rerun is not None:
        raise ValueError(
            f"--experimental-rerun must be left out, got {known.experimental_rerun}: a pickle can "
            "run anything"
        )
    searched(known.config_dir)
    return known.config_dir, others


def groups_in(conf: Path) -> dict[str, list[str]]:
    """The groups below a config folder, with the choices in each."""
    groups: dict[str, list[str]] = {}
    for path in sorted(conf.rglob("*.yaml")):
        if path.parent != conf:
            groups.setdefault(path.parent.relative_to(conf).as_posix(), []).append(path.stem)
    return groups


def wrong_choice(arguments: Sequence[str], groups: Mapping[str, Sequence[str]]) -> str | None:
    """A sentence on the first group that is given no word, of which Hydra names neither.

    >>> wrong_choice(["seed=3", "logger=null"], {"logger": ["events"]})
    'logger must be one of events, got null'
    >>> wrong_choice(["=3"], {})
    '=3 must be KEY=VALUE'
    """
    parents = {group.partition("/")[0] for group in groups}
    for argument in arguments:
        key, _, value = argument.partition("=")
        if not key:
            return f"{argument or repr('')} must be KEY=VALUE"
        if key not in {*groups, *parents} or not value:
            continue
        try:
            (override,) = OverridesParser.create().parse_overrides([argument])
        except BAD_SETTING:
            continue  # Hydra says what is wrong with it
        chosen = override.value()
        words = chosen if isinstance(chosen, list) else [chosen]
        if isinstance(chosen, dict) or override.is_sweep_override():
            continue
        if not all(isinstance(word, str) for word in words):
            choices = groups.get(key) or [group for group in groups if group.startswith(f"{key}/")]
            return unknown_choice(key, as_typed(chosen), choices)
    return None


class Start(Callback):
    """Hydra calls it with the composed config of a single run, before it makes the run's folder."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check the config and choose the folder; exits with 2 if either cannot be used."""
        typed = tuple(typed_overrides(config.hydra))
        try:
            check_folder(config)
            check(config, typed)
            folder = run_folder(config)
        except BAD_SETTING as error:  # Hydra would make a warning of it
            sys.exit(refused(sentence(error), debug=config.get("debug") is True))
        except (KeyboardInterrupt, Terminated) as stop:
            reason = f"{stopped_by(stop)[0]} before the first step"
            status = RunStatus("interrupted", reason, overrides=typed, versions=versions())
            status.write(run_folder(config))
            raise
        config.hydra.run.dir = str(folder)
        if not has_default_folder(config):  # but ~/runs, say
            config.folder = str(folder)
