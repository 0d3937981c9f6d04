"""What is wrong with a config, in one sentence out of what Hydra and OmegaConf wrap around it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import Container, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from layerscope.arguments import did_you_mean, unknown_key
from layerscope.extras import plugin_needs

BAD_SETTING = (ValueError, HydraException, OmegaConfBaseException)
"""What composing a config, and calling what it names, raises for a setting that cannot be used."""

NO_CONFIG = (YAMLError, RecursionError)
"""What composing raises of a file that is no config, or of a value that leads to itself."""


def sentence(error: Exception, groups: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return the error without Hydra's frames around it, on one line.

    An unknown choice of a group is told with the choices that there are, and an unknown key or
    choice with the nearest one.

    Args:
        error: of `BAD_SETTING` or `NO_CONFIG`.
        groups: that a config is composed of, with the choices in each. Some, such as
            `experiment`, leave no key in it.
    """
    groups, cause = groups or {}, error.__cause__
    if isinstance(error, YAMLError):
        return _no_yaml(error)
    if isinstance(error, RecursionError):
        return "no config and no value may be nested without end, or lead to itself"
    if isinstance(error, InstantiationException) and cause is not None:
        return with_key(str(error).rpartition("full_key: ")[2], _one_line(cause))
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        if first := next((each for each in groups if group.startswith(f"{each}/")), None):
            group, choice = first, error.missing_cfg_file.removeprefix(f"{first}/")  # init=/root
        if needed := plugin_needs(group, choice):
            return needed
        if options := error.options or groups.get(group):
            return unknown_choice(group, choice, options)
    if isinstance(error, OverrideParseException):
        return _no_override(error)
    if isinstance(error, ConfigCompositionException):
        if isinstance(cause, ConfigKeyError | ConfigAttributeError):
            return _unknown_key(str(error), cause, groups)
        if isinstance(cause, OmegaConfBaseException) and cause.full_key:
            return _other_kind(str(error), cause)
        return _composition(_one_line(cause or error))
    if missing := re.search(r"Missing mandatory value: (\S+)", str(error)):
        return f"{missing[1]} must be given: it has no default"
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {_one_line(error)}"
    return _one_line(error)


def with_key(path: str, told: str) -> str:
    """What a constructor says of its argument, with the place of the argument in the config.

    >>> with_key("model", "depth must be at least 1, got 0")
    'model.depth must be at least 1, got 0'
    """
    argument = re.match(r"[a-z]\w*(\[\d+\])? must ", told)
    return f"{path}.{told}" if argument and path else f"{path}: {told}" if path else told


def with_typed(path: str, told: str, typed: Sequence[str]) -> str:
    """The sentence of a library that names neither its argument's key nor the value, with both.

    >>> with_typed("trainer", "trainer: it should be an int > 0", ["seed=3", "trainer.devices=-1"])
    'trainer: it should be an int > 0, got trainer.devices=-1'
    >>> typed = ["trainer.devices=abc", "trainer.max_steps=1"]
    >>> with_typed("trainer", "trainer: `devices` should be an int > 0", typed)
    'trainer: `devices` should be an int > 0, got trainer.devices=abc'
    >>> with_typed("data", "data: names.txt is empty", ["data.path=names.txt"])
    'data.path: names.txt is empty'
    """
    if told.startswith(f"{path}."):
        return told
    mine = [each for each in typed if each.lstrip("+").startswith(f"{path}.")]
    named = [each for each in mine if re.search(rf"\b{_argument(each)}\b", told)]
    mine = named or mine
    for key, _, value in (each.lstrip("+").partition("=") for each in mine):
        value = value.strip("[]'\"")
        if len(value) > 2 and value in told and told.startswith(f"{path}: "):  # only the key lacks
            return key + told.removeprefix(path)
    return f"{told}, got {' '.join(mine)}" if mine else told


def _argument(override: str) -> str:
    """The last part of an override's key, for a regular expression."""
    return re.escape(override.partition("=")[0].rpartition(".")[2])


def unknown_choice(group: str, choice: str, options: Sequence[str]) -> str:
    """The sentence that refuses what was chosen for a group, with the nearest of its choices."""
    near = did_you_mean(choice, options)
    return f"{group} must be one of {', '.join(options)}, got {choice or repr('')}{near}"


def _unknown_key(message: str, cause: Any, groups: Mapping[str, Sequence[str]]) -> str:
    typed = re.search(r"override '([^']+)'", message)
    key, full_key = typed[1] if typed else "", str(cause.full_key)
    key = full_key if full_key.startswith(f"{key}.") or not key else key  # of init={colour:red}
    node = cause.parent_node
    keys = list(_keys(node._get_root())) if isinstance(node, Container) else []
    near = [each for each in (*groups, *keys) if not key.startswith(f"{each}.")]
    if not key.startswith("hydra"):  # whose keys are three times as many as all others
        near = [each for each in near if not each.startswith("hydra")]
    return unknown_key(key, near)


def _other_kind(message: str, cause: OmegaConfBaseException) -> str:
    """What OmegaConf refuses to put where something of another kind is."""
    value = message.partition("=")[2].splitlines()
    got = f", got {value[0]}" if value else ""
    line = _one_line(cause)
    if line.endswith("is not Optional"):
        return f"{cause.full_key} must have a value{got}"
    if line.startswith("Cannot merge"):
        there = "a list" if cause.object_type is list else "a mapping"
        return f"{cause.full_key} must be {there}{got}"
    return f"{cause.full_key} must be of another kind{got}: {line}"


def _no_override(error: OverrideParseException) -> str:
    """Hydra tells where its grammar has given up, and under some lines of it why."""
    lines = [line.strip() for line in error.message.splitlines()]
    noise = ("See ", "Error parsing", "Lexer", "^")
    why = next((line for line in lines if line and not line.startswith(noise)), "")
    return f"{error.override or repr('')} must be KEY=VALUE{f': {why}' if why else ''}"


def _composition(line: str) -> str:
    """Hydra's line on overrides that do not go together, in plainer words where there are any."""
    if twice := re.match(r"Multiple values for ([^.]+)\.", line):
        return f"{twice[1]} has a choice already: write {twice[1]}=CHOICE, without the +"
    if nowhere := re.match(r"Could not override '(.*)'\. No match in the defaults list", line):
        key = nowhere[1]
        return f"{key} has no choice yet: write +{key}=CHOICE" if key else "there is no key ''"
    if several := re.match(r"Ambiguous value for argument '(.+)'$", line):
        return f"{several[1]} names several values: -m trains with each; [A,B] is one list"
    if unknown := re.match(r"Error resolving interpolation '(.+)', possible", line):
        return (
            f"{unknown[1]} must be known when the config is composed, as another group's choice or "
            "a variable of the environment that is set"
        )
    return line


def _keys(root: Any) -> Iterator[str]:
    """Every key of a config, with the path to it."""
    plain = OmegaConf.to_container(root, resolve=False)
    waiting: list[tuple[str, Any]] = [("", plain)]
    while waiting:
        path, node = waiting.pop()
        if path:
            yield path
        if isinstance(node, Mapping):
            waiting += [(f"{path}.{key}" if path else str(key), node[key]) for key in node]


def _no_yaml(error: Any) -> str:
    """What PyYAML says of a file, which it tells on several lines."""
    mark = getattr(error, "problem_mark", None)
    file = getattr(mark or error, "name", None) or "a config"
    line = "" if mark is None else f" (line {mark.line + 1})"
    why = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return f"{file} must be YAML: {why}{line}"


def _one_line(error: BaseException) -> str:
    """The first line, or what Hydra refuses to call and why, which it tells on several."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if isinstance(error, InstantiationException):
        return " ".join(lines).removesuffix(".")
    return lines[0].removesuffix(".")
