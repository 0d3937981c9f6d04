"""`layerscope diagnose RUN_DIR`: judge a finished run again, with other thresholds.

From its event files alone, and without PyTorch. What diagnosis.json says the run was judged by
holds where the command line says nothing else.
"""

import json
import math
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from layerscope.console.summary import summary
from layerscope.console.terminal import terminal
from layerscope.diagnose import RULES, SEVERITIES, Figures, Finding, Judge, Thresholds, without
from layerscope.diagnose.findings.own_diagnosis import OwnDiagnosis
from layerscope.events.reader import read_run
from layerscope.exit_codes import ExitCode
from layerscope.refusal import refuse
from layerscope.run_state import unfinished
from layerscope.sinks.figures_event import figure_sets

_BLOCK = 256  # steps that are judged at once: few calls, and arrays that stay in the cache


def run(options: Namespace) -> int:
    """Print the findings; 2 if the run or a setting cannot be used, 4 if --fail-on says so."""
    try:
        findings, judged_by = judged_again(
            options.run, options.overrides, options.classes, options.without
        )
    except (OSError, ValueError) as error:
        return refuse(error)
    if (stands := unfinished(options.run, lambda: _last_step(options.run))) is not None:
        print(stands, file=sys.stderr)
    if options.json:
        told = {"findings": [each.as_json() for each in findings], "judged_by": judged_by}
        print(json.dumps(told, indent=1, allow_nan=False))
    else:
        terminal().print(summary(findings, options.run, whole=True))
    if options.fail_on is None:
        return ExitCode.FINISHED
    limit = SEVERITIES.index(options.fail_on)
    sick = any(each.level >= limit for each in findings)
    return ExitCode.REFUSED if sick else ExitCode.FINISHED


def _last_step(folder: Path) -> int:
    return int(figure_sets(read_run(folder))[-1].steps[-1])


def judged_again(
    folder: Path,
    overrides: Sequence[str] = (),
    classes: int | None = None,
    switched_off: Sequence[str] = (),
) -> tuple[list[Finding], dict[str, Any]]:
    """The findings of a run, causes first, and what they were judged by, as plain types.

    5,000 steps of ten layers take a second. With nothing but a folder they are those that the run
    itself came to. What no rule here has found, such as `not_measured`, is taken from its
    diagnosis.json.

    Args:
        overrides: thresholds, such as `thresholds.saturated_bad=0.3`.
        classes: how many the loss chooses from; None: as the run was judged.
        switched_off: rules that are not to judge, beside those that did not judge the run.

    Raises:
        OSError: the folder has no event files, or they cannot be read.
        ValueError: they are corrupt or hold no figures of layers; or a setting is out of bounds.
    """
    blocks = _figures(folder)
    before = OwnDiagnosis.read(folder)
    thresholds = with_overrides(before.thresholds, overrides)
    classes = before.classes if classes is None else classes
    off = list(dict.fromkeys([*before.switched_off, *switched_off]))
    brought = [each for each in before.findings if each.rule not in RULES]
    # Of rules that are not registered here, the run's own, only what they found is known.
    elsewhere = {*before.switched_off, *(each.rule for each in brought)}
    rules = without(*(name for name in off if name in RULES or name not in elsewhere))
    judge = Judge((), thresholds, rules, classes=classes)
    for figures in blocks:
        judge.look(figures)
    for finding in brought:
        if finding.rule not in off:
            judge.add(finding)
    judged_by = {"thresholds": asdict(thresholds), "classes": classes, "switched_off": off}
    return judge.findings, judged_by


def with_overrides(thresholds: Thresholds, overrides: Sequence[str]) -> Thresholds:
    """The thresholds, changed by `thresholds.NAME=NUMBER`; ValueError for what is not one."""
    changed: dict[str, float] = {}
    for override in overrides:
        key, _, value = override.partition("=")
        prefix, _, name = key.strip().removeprefix("monitor.").partition(".")
        if prefix != "thresholds" or name not in _NAMES:
            near = get_close_matches(name or prefix, _NAMES, n=1, cutoff=0.8)
            if near:
                told = f"did you mean thresholds.{near[0]}?"
            else:
                told = f"they are thresholds.NAME=NUMBER, NAME one of {', '.join(_NAMES)}"
            raise ValueError(f"{override!r} names no threshold; {told}")
        kind, words = (int, "whole") if _NAMES[name] is int else (float, "finite")
        try:
            changed[name] = kind(value)
        except ValueError:
            changed[name] = math.nan
        if not math.isfinite(changed[name]):
            raise ValueError(f"{key.strip()} must be a {words} number, got {value!r}")
    return replace(thresholds, **changed)  # type: ignore[arg-type] # whole where they must be


_NAMES = {field.name: field.type for field in fields(Thresholds)}


def _figures(folder: Path) -> list[Figures]:
    """A run's figures in the order in which its judge saw them, in blocks."""
    sets = figure_sets(read_run(folder))
    if not sets:
        raise ValueError(f"the event files in {folder} hold no figures of layers to judge")
    return [
        figures.of_rows(slice(start, start + _BLOCK))
        for figures in sets
        for start in range(0, len(figures.steps), _BLOCK)
    ]
