"""How to run it again: the command, and the versions it ran with."""

import shlex
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from layerscope.comparison import Comparison, Run
from layerscope.comparison.overrides import loaded_yaml

_HYDRA = Path(".hydra", "hydra.yaml")


def command(comparison: Comparison) -> str | None:
    """What was typed; None where no config says so.

    Of a sweep, from its multirun.yaml; of a folder without one, as a sweep if the runs are all
    combinations of some settings, else a line for each run.
    """
    sweep = comparison.folder / "multirun.yaml"
    overrides = _of_hydra(sweep, "overrides", "task")
    if isinstance(overrides, list):
        return _typed(sweep, ["-m", *map(str, overrides)])
    if (whole := _as_sweep(comparison.runs)) is not None:
        return whole
    lines = [line for run in comparison.runs if (line := _of_run(run)) is not None]
    return "\n".join(dict.fromkeys(lines)) or None


def versions(runs: Sequence[Run]) -> Mapping[str, str]:
    """The versions that the runs wrote down; several of one program where they differ."""
    names = sorted({name for run in runs for name in run.versions})
    return {
        name: ", ".join(
            sorted({str(run.versions[name]) for run in runs if run.versions.get(name) is not None})
        )
        for name in names
    }


def _as_sweep(runs: Sequence[Run]) -> str | None:
    """The sweep that these runs are, if they are one."""
    every = [run.overrides or {} for run in runs]
    keys = list(every[0])
    if len(runs) < 2 or any(list(each) != keys for each in every) or _of_run(runs[0]) is None:
        return None
    values = {key: list(dict.fromkeys(each[key] for each in every)) for key in keys}
    combinations = {tuple(each.values()) for each in every}
    if len(combinations) != len(runs) or prod(map(len, values.values())) != len(runs):
        return None
    if any("," in value for several in values.values() for value in several):
        return None
    arguments = [f"{key}={','.join(sorted(several))}" for key, several in values.items()]
    return _typed(runs[0].folder / _HYDRA, ["-m", *arguments])


def _of_run(run: Run) -> str | None:
    if run.overrides is None or not (run.folder / ".hydra").is_dir():
        return None
    written = _of_hydra(run.folder / _HYDRA, "overrides", "task")
    if not isinstance(written, list):
        written = [f"{key}={value}" for key, value in run.overrides.items()]
    return _typed(run.folder / _HYDRA, [str(each) for each in written])


def _typed(file: Path, arguments: Sequence[str]) -> str:
    program = str(_of_hydra(file, "job", "name") or "train")
    *module, last = program.split()  # "train" is train.py, "layerscope train" the command
    words = [*module, last] if module else ["python", f"{last}.py"]
    return shlex.join([*(["python"] if words[0] == "-m" else []), *words, *arguments])


def _of_hydra(file: Path, *keys: str) -> Any:
    """A value below `hydra` in a YAML file; None where there is none."""
    content = loaded_yaml(file)
    for key in ("hydra", *keys):
        content = content.get(key) if isinstance(content, dict) else None
    return content
