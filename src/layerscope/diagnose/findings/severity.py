"""How bad a finding is, its mark, and how many there are of each."""

from collections.abc import Sequence

SEVERITIES = ("note", "warning", "critical")
"""A note is worth a look, a warning is a disease; with a critical one training cannot succeed."""

MARKS = {"critical": "✗", "warning": "!", "note": "·"}
"""Told apart by their shape: colour comes on top."""


def counted(severities: Sequence[str]) -> str:
    """How many of each severity there are, the worst first.

    >>> counted(["note", "warning", "critical", "warning"]), counted([])
    ('1 critical, 2 warnings, 1 note', 'no finding')
    """
    words = {"critical": "critical", "warning": "warnings", "note": "notes"}
    counts = {name: severities.count(name) for name in reversed(SEVERITIES)}
    told = (f"{n} {words[name] if n > 1 else name}" for name, n in counts.items() if n)
    return ", ".join(told) or "no finding"
