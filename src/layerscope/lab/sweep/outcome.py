"""How a job of a sweep ended, in a line."""

from __future__ import annotations

import json
from pathlib import Path

from layerscope.lab.status import RunStatus

_SEVERITIES = ("note", "warning", "critical")  # as diagnosis.json has them


def outcome(folder: Path) -> str:
    """The val/loss in nats of the job in `folder`, its seconds and its verdict.

    The verdict is the worst finding of its diagnosis.json, or why the job has not finished.
    """
    status = RunStatus.read(folder)
    if status is None:
        return "not started"
    loss = "" if status.val_loss is None else f"{status.val_loss:.4f}"
    return f"{loss:>8} {status.seconds:7.1f} s  {_verdict(folder, status)}"


def _verdict(folder: Path, status: RunStatus) -> str:
    if status.state != "finished":
        return f"{status.state}: {status.reason}".splitlines()[0]
    try:
        findings = json.loads((folder / "diagnosis.json").read_text(encoding="utf-8"))["findings"]
    except (OSError, ValueError, LookupError):  # monitor=none
        return "finished"
    if not findings:
        return "healthy"
    worst = max(findings, key=lambda each: _SEVERITIES.index(each["severity"]))
    return f"{worst['severity']}: {worst['rule']} in {worst['layer']} from step {worst['step']}"
