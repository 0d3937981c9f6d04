"""How to run it again: the command, and the versions it ran with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from layerscope.show.comparison import Comparison, Run


def command(comparison: Comparison) -> str | None:
    """What was typed; None where no config says so.

    Of a sweep, from its multirun.yaml; of a folder without one, a line for each run.
    """
    sweep = _loaded(comparison.folder / "multirun.yaml").get("hydra") or {}
    overrides = (sweep.get("overrides") or {}).get("task")
    if isinstance(overrides, list):
        return _typed(sweep, ["-m", *map(str, overrides)])
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


def _of_run(run: Run) -> str | None:
    if run.overrides is None or not (run.folder / ".hydra").is_dir():
        return None
    hydra = _loaded(run.folder / ".hydra" / "hydra.yaml").get("hydra") or {}
    written = (hydra.get("overrides") or {}).get("task")
    if not isinstance(written, list):
        written = [f"{key}={value}" for key, value in run.overrides.items()]
    return _typed(hydra, [str(each) for each in written])


def _typed(hydra: Mapping[str, Any], arguments: Sequence[str]) -> str:
    program = (hydra.get("job") or {}).get("name") or "train"
    return shlex.join(["python", f"{program}.py", *arguments])


def _loaded(path: Path) -> dict[str, Any]:
    """A YAML file's mapping; empty where there is none, or it is torn."""
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, YAMLError, OmegaConfBaseException, ValueError):
        return {}
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}
