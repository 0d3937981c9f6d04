"""What a run's own diagnosis.json says of its findings, and by what they were judged."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self

from layerscope.diagnose.findings.finding import Finding
from layerscope.diagnose.thresholds import Thresholds
from layerscope.whole_file import read_json

_SCHEMA = 3  # a file of another version is passed over
_KNOWN = {each.name for each in fields(Thresholds)}


@dataclass(frozen=True)
class OwnDiagnosis:
    """The findings of a run as it wrote them; empty, with the defaults, where it wrote none.

    Attributes:
        findings: in the order of telling.
        thresholds: that they were judged by.
        classes: that the loss chooses from; None if unknown.
        switched_off: rules that did not judge.
        is_there: whether there is a file that says so.
    """

    findings: tuple[Finding, ...] = ()
    thresholds: Thresholds = field(default_factory=Thresholds)
    classes: int | None = None
    switched_off: tuple[str, ...] = ()
    is_there: bool = False

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Of a run's folder. A file that is torn, malformed or of another version says nothing, as
        that of a run that goes on, which is not there yet.
        """
        try:
            content = read_json(folder / "diagnosis.json")
            if content["schema"] != _SCHEMA:
                return cls()
            judged_by = content.get("judged_by") or {}
            of_thresholds = judged_by.get("thresholds") or {}
            known = {name: value for name, value in of_thresholds.items() if name in _KNOWN}
            classes, off = judged_by.get("classes"), judged_by.get("switched_off") or []
            if not isinstance(classes, int | None) or not all(isinstance(x, str) for x in off):
                return cls()
            findings = tuple(Finding.of_json(each) for each in content["findings"])
            return cls(findings, Thresholds(**known), classes, tuple(off), is_there=True)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return cls()
