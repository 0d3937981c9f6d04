"""The digest of a run: its state, its story, its figures, and the layers most worth a look."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy import isnan

from layerscope.diagnose import Finding
from layerscope.diagnose.measured.figure_names import LAYER_FIGURES, STEP_FIGURES
from layerscope.diagnose.measured.figures import Figures
from layerscope.digest.bounded import MAX_BYTES, Texts, number, with_as_many
from layerscope.digest.of_layers import FIRST_AND_LAST, of_layers
from layerscope.digest.of_steps import AS_LAST_SEEN, of_steps
from layerscope.lab.status import RunStatus

SCHEMA = 1

_FOR_FINDINGS = 22_000
"""Bytes of a digest without layers, so that some of them have room however many findings there are.
Without findings it has 5,000."""

_TEXTS = ("rule", "severity", "layer", "explanation", "remedy", "because")
_COUNTS = ("step", "last_step", "layers")
_NUMBERS = ("value", "worst", "threshold")


def digest_of(
    name: str,
    state: str,
    status: RunStatus | None,
    figures: Figures,
    findings: Sequence[Finding],
    how_far: str | None = None,
) -> dict[str, Any]:
    """All of it as plain types, at most `MAX_BYTES` as JSON, whatever the run's size.

    "left_out" counts what did not fit: findings, layers, and texts that were cut. "meaning" says
    what each figure is. A figure that was never known is left out, one that is not finite is None.

    Args:
        state: how the run stands; see `run_state.state_of`.
        status: of status.json; None if there is none, as beside a plain loop.
        findings: in the order of telling.
        how_far: what is told of a run that has not come to its end, where no status gives a reason;
            see `run_state.unfinished`.

    Raises:
        ValueError: there are no figures of any step.
    """
    if not len(figures.steps):
        raise ValueError("a digest takes figures of at least 1 step, got 0")
    texts = Texts()
    told = [finding.as_json() for finding in findings]
    reason = (None if status is None else status.reason) or how_far
    digest: dict[str, Any] = {
        "schema": SCHEMA,
        "run": {
            "name": texts.short(name),
            "state": state,
            "reason": None if reason is None else texts.short(reason),
            "seconds": None if status is None else number(status.seconds),
            "first_step": int(figures.steps[0]),
            "last_step": int(figures.steps[-1]),
            "measured_steps": len(figures.steps),
            "layers": len(figures.layers),
        },
        "findings": [],
        **of_steps(figures),
        "layers": [],
        "meaning": _meaning(figures),
        "left_out": {"findings": 0, "layers": 0, "cut_texts": 0},
    }
    layers = of_layers(figures, told, texts)
    story = [_of_finding(finding, texts) for finding in told]
    digest["left_out"]["cut_texts"] = texts.cut
    digest = with_as_many(digest, "findings", story, _FOR_FINDINGS)
    return with_as_many(digest, "layers", layers, MAX_BYTES - 1)


def _of_finding(finding: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    numbers = {name: finding[name] for name in _NUMBERS}
    return {
        **{name: texts.short(finding[name]) for name in _TEXTS},
        **{name: finding[name] for name in _COUNTS},
        **{name: None if value is None else number(value) for name, value in numbers.items()},
        "sure": finding["sure"],
    }


def _meaning(figures: Figures) -> dict[str, str]:
    names = [name for group in AS_LAST_SEEN.values() for name in group]
    return {
        "loss.start": "mean of the first 5 losses",
        "loss.now": "mean of the last 20",
        "loss.kind": "as the gradient on the output shows it; unknown if it fits no known kind",
        "loss.reduction": STEP_FIGURES["loss_reduction"],
        "sure": "warnings of this rule that stood under no cause in test programs: how many led to "
        "the fault (cause), told of what follows (consequence) or of something else (astray), or "
        "came in healthy programs (false)",
        "first, last": "of a layer: each figure as it was first and last measured",
        **{name: STEP_FIGURES[name] for name in names},
        **{name: LAYER_FIGURES[name] for name in FIRST_AND_LAST if not isnan(figures[name]).all()},
    }
