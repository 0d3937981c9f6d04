"""The settings as keyword arguments of a function: typed, listed by its signature and `help`."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from typing import TypedDict, TypeVar, get_type_hints

from layerscope.diagnose import Thresholds
from layerscope.record.network.layers import Choice
from layerscope.record.schedule import Schedule
from layerscope.session.settings import Settings
from layerscope.sinks.finding_receiver import OnFinding
from layerscope.sinks.sink import Sink

_F = TypeVar("_F", bound=Callable[..., object])

_HERE = "settings: those of `layerscope.session.settings.Settings`, by name."
"""The line of a docstring that gives way to what `Settings` says of each."""


class SettingKeywords(TypedDict, total=False):
    """What `Settings` takes, for type checkers and editors: `**settings: Unpack[...]`."""

    layers: Choice
    quantities: Sequence[str]
    biases: bool
    per_call: bool
    every_n_steps: int
    schedule: Schedule | None
    scalars_every_n_steps: int
    updates_every_n_steps: int
    max_elements: int | None
    max_megabytes: float
    budget: float | None
    saturation_threshold: float
    dead_window: int
    thresholds: Thresholds
    switched_off: Sequence[str]
    classes: int | None
    fail_on: str
    stop_on: str
    images: bool | None
    summary: bool
    sinks: Sequence[Sink | str] | None
    on_finding: OnFinding | None
    flush_seconds: float


def with_setting_keywords(function: _F) -> _F:
    """Let a function that takes `**settings` list each of them in its signature, with type and
    default: for `help`, for notebooks and for LightningCLI, which reads signatures at run time.
    """
    signature = inspect.signature(function)
    hints = get_type_hints(function)
    own = [
        parameter.replace(annotation=hints.get(parameter.name, parameter.annotation))
        for parameter in signature.parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    types = get_type_hints(SettingKeywords)
    settings = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default if field.default_factory is MISSING else field.default_factory(),
            annotation=types[field.name],
        )
        for field in fields(Settings)
    ]
    function.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*own, *settings], return_annotation=hints.get("return")
    )
    return function


def with_settings_described(docstring: str | None) -> str:
    """A docstring with what `Settings` says of each setting, in place of its line on all."""
    told = inspect.getdoc(Settings) or ""
    _, _, arguments = told.partition("Args:\n")
    arguments = arguments.partition("\nRaises:")[0].strip("\n")
    lines = []
    for line in (docstring or "").splitlines():
        if line.strip() == _HERE:
            before = len(line) - len(line.lstrip()) - 4
            lines += [" " * before + each for each in arguments.splitlines()]
        else:
            lines.append(line)
    return "\n".join(lines)
