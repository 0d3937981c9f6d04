"""Runs that differ in nothing but their seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from layerscope.comparison.estimate import Difference, Estimate, difference, estimate
from layerscope.comparison.measures import MEASURES
from layerscope.comparison.overrides import SEED
from layerscope.comparison.run import Run


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Runs of the same settings, and what their seeds come to.

    Attributes:
        label: the settings that tell it from the other groups, `init=kaiming, model.depth=5`.
        choices: those settings by key; "" where this group has none.
        settings: all its overrides but the seed.
        runs: in order of name.
        estimates: of each of `MEASURES`, over the runs that count.
        behind: by how much its loss is above that of the best group; None for the best, and where
            it cannot be told.
    """

    label: str
    choices: Mapping[str, str]
    settings: Mapping[str, str]
    runs: tuple[Run, ...]
    estimates: Mapping[str, Estimate]
    behind: Difference | None = None

    @property
    def failed(self) -> int:
        """How many of its runs ended before their time."""
        return sum(run.failed for run in self.runs)

    @property
    def losses(self) -> dict[str, float]:
        """The loss of each run that counts, by seed; by name where it has none."""
        return {seed: run.measures["loss"] for seed, run in _counted(self.runs).items()}

    def median(self, measure: str) -> float:
        """The median of a measure over the seeds; NaN if unknown."""
        return self.estimates[measure].median

    @property
    def typical(self) -> Run:
        """The run that is drawn for the group: of median loss, of those that did not fail."""
        whole = [run for run in self.runs if not run.failed] or list(self.runs)
        drawn = [run for run in whole if run.history is not None] or whole
        drawn.sort(key=lambda run: _last_if_unknown(run.measures["loss"]))
        return drawn[(len(drawn) - 1) // 2]


def groups_of(runs: Sequence[Run]) -> tuple[Group, ...]:
    """Group runs by their settings without the seed, the lowest median loss first.

    A run whose settings nobody wrote down is a group of its own.
    """
    settings = [_settings(run) for run in runs]
    members: dict[frozenset[tuple[str, str]], list[int]] = {}
    for i, each in enumerate(settings):
        members.setdefault(frozenset(each.items()), []).append(i)
    keys = dict.fromkeys(key for each in settings for key in each)
    varied = [key for key in keys if len({each.get(key) for each in settings}) > 1]
    groups = [
        _group([runs[i] for i in at], settings[at[0]], varied or list(keys))
        for at in members.values()
    ]
    groups.sort(key=lambda group: (_last_if_unknown(group.median("loss")), group.label))
    best = groups[0]
    behind = (replace(each, behind=difference(each.losses, best.losses)) for each in groups[1:])
    return best, *behind


def _settings(run: Run) -> dict[str, str]:
    if run.overrides is None:
        return {"run": run.name}
    return {key: value for key, value in run.overrides.items() if key != SEED}


def _group(runs: list[Run], settings: Mapping[str, str], told: Sequence[str]) -> Group:
    choices = {key: settings.get(key, "") for key in told}
    if "run" in settings and settings == choices:  # nobody wrote its settings down
        written = [settings["run"]]
    else:
        written = [f"{key}={value}" for key, value in choices.items() if key in settings]
    counted = _counted(runs).values()
    estimates = {name: estimate([run.measures[name] for run in counted]) for name in MEASURES}
    return Group(", ".join(written) or "defaults", choices, settings, tuple(runs), estimates)


def _counted(runs: Sequence[Run]) -> dict[str, Run]:
    """The runs that did not fail, by seed; of a seed that was run twice the last by name.

    The same run again is no further seed: it would make anything look certain.
    """
    return {run.seed or run.name: run for run in runs if not run.failed}


def _last_if_unknown(value: float) -> tuple[bool, float]:
    return math.isnan(value), 0.0 if math.isnan(value) else value
