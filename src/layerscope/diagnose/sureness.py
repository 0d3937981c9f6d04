"""How sure a finding is: of those of its rule in our test programs, how many led to the fault.

The figures stand in sureness.json, which the script that trains those programs writes:
`{"rules": {"input_scale": {"right": 5, "found": 6}}}`. A rule that is not in it was not measured.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from layerscope.arguments import at_least


@dataclass(frozen=True, slots=True)
class Sureness:
    """A rule's share of right findings, as a count.

    Attributes:
        right: findings that led to the fault that the program has; 0 to `found`.
        found: findings of the rule in all programs, mended ones included; at least 1.

    Raises:
        ValueError: a count out of these bounds.
    """

    right: int
    found: int

    def __post_init__(self) -> None:
        at_least(1, found=self.found)
        if not 0 <= self.right <= self.found:
            raise ValueError(f"right must be between 0 and {self.found}, got {self.right}")


def sureness_of(rule: str) -> Sureness | None:
    """How sure the rule's findings are; None if it was not measured."""
    return _measured().get(rule)


def sure_sentence(rule: str) -> str:
    """The same in words; without figures, that there are none."""
    sure = sureness_of(rule)
    if sure is None:
        return "How sure: not measured."
    findings = "1 finding" if sure.found == 1 else f"{sure.found} findings"
    return (
        f"How sure: of {findings} of this rule in our test programs, {sure.right} led to the fault."
    )


def sureness_from(content: dict[str, Any]) -> dict[str, Sureness]:
    """What sureness.json says, by rule; ValueError for counts that cannot be."""
    return {
        name: Sureness(counts["right"], counts["found"])
        for name, counts in content["rules"].items()
    }


@cache
def _measured() -> dict[str, Sureness]:
    text = files("layerscope.diagnose").joinpath("sureness.json").read_text(encoding="utf-8")
    return sureness_from(json.loads(text))
