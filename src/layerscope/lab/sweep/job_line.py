"""What a job of a sweep is called, and how it ended: its line."""

import re
from hashlib import sha256
from pathlib import Path

from layerscope.lab.status import RunStatus
from layerscope.whole_file import read_json

_LONGEST = 120  # characters; file systems take 255 bytes, and TensorBoard's list far fewer
_DIGITS = 8
_LIST = re.compile(r"\[([^\[\]]*)\]")
_LONG_NUMBER = re.compile(r"(?<==)-?(?=[\d.]{8})\d+\.\d+(?:e[+-]?\d+)?(?=,|$)")  # of a search
_NOT_PLAIN = re.compile(r"[^\w.,=+@-]")

_SEVERITIES = ("note", "warning", "critical")  # as diagnosis.json has them


def run_name(overrides: str) -> str:
    """Name a job by what it sets: its folder, and so its run in TensorBoard.

    A list is joined by `-`, a number of more than seven digits is rounded to four, and any
    character but letters, digits and `.,=+@-` becomes `_`. What is longer than 120 bytes is cut.
    Where this loses something, eight digits of a hash of the whole tell the job from others.

    Args:
        overrides: as Hydra's `hydra.job.override_dirname` has them: sorted, joined by commas.

    >>> run_name("init=kaiming,model.activation=relu,seed=0")
    'init=kaiming,model.activation=relu,seed=0'
    >>> run_name("model.widths=[200,100]")
    'model.widths=200-100'
    >>> run_name("data.path=names/de.txt")
    'data.path=names_de.txt,d5b9a37b'
    >>> run_name("optimizer.lr=0.00029375384576328325")
    'optimizer.lr=0.0002938,1c92e817'
    >>> run_name("")
    'run'
    """
    plain = re.sub(r"(^|,)[+~]+", r"\1", overrides)
    plain = _LIST.sub(lambda found: re.sub(r",\s*", "-", found[1]), plain)
    name = _NOT_PLAIN.sub("_", _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.4g}", plain))
    if name != plain or len(name.encode()) > _LONGEST:
        short = name.encode()[: _LONGEST - _DIGITS - 1].decode(errors="ignore")
        name = f"{short},{sha256(overrides.encode()).hexdigest()[:_DIGITS]}"
    return name or "run"


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
        findings = read_json(folder / "diagnosis.json")["findings"]
        if not findings:
            return "healthy"
        worst = max(findings, key=lambda each: _SEVERITIES.index(each["severity"]))
        return f"{worst['severity']}: {worst['rule']} in {worst['layer']} from step {worst['step']}"
    except (OSError, ValueError, LookupError, TypeError):  # monitor=none
        return "finished"
