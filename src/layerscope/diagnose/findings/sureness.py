"""How sure a finding is: how many of the stories that began with its rule in programs were true.

Each program has a fault and a mended form. A warning that stands under no cause is true if it leads
to the fault, or tells of what follows from it and goes when the fault is mended. Else it leads
astray; in a mended or healthy program it is a false alarm. The figures stand in sureness.json,
which the script that trains the programs writes. A rule that is not in it was not met.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from layerscope.arguments import at_least

FEW = 5
"""Warnings below which a share says nothing: of 4 that are all true, half of all may be false with
a chance of 1 in 16."""


@dataclass(frozen=True, slots=True)
class Sureness:
    """What a rule's warnings that stood under no cause were, as counts of 0 or more.

    Attributes:
        cause: led to the program's fault.
        consequence: told of what follows from it.
        astray: told of something else.
        false_alarms: in programs that have no fault.

    Raises:
        ValueError: a count below 0, or all 0.
    """

    cause: int
    consequence: int
    astray: int
    false_alarms: int

    def __post_init__(self) -> None:
        at_least(0, cause=self.cause, consequence=self.consequence)
        at_least(0, astray=self.astray, false=self.false_alarms)
        at_least(1, warnings=self.found)

    @property
    def true(self) -> int:
        """Warnings that told of the fault, or of what follows from it."""
        return self.cause + self.consequence

    @property
    def found(self) -> int:
        """All of them."""
        return self.true + self.astray + self.false_alarms

    def as_json(self) -> dict[str, int]:
        """Plain types, as sureness.json and diagnosis.json have them."""
        return {
            "cause": self.cause,
            "consequence": self.consequence,
            "astray": self.astray,
            "false": self.false_alarms,
        }


def sureness_of(rule: str) -> Sureness | None:
    """How sure the rule's findings are; None if it was not met."""
    return _measured()[0].get(rule)


def sure_words(rule: str) -> str:
    """The same in a line: `true in 10 of 14 test programs: the fault in 9, a consequence in 1`.

    Where they are fewer than `FEW`, that this says little; "" where the rule was not met.
    """
    sure = sureness_of(rule)
    if sure is None:
        return ""
    words = f"true in {sure.true} of {sure.found} test program{'s' * (sure.found > 1)}"
    if sure.found < FEW:
        return f"{words}, which are few"
    if not sure.consequence:
        return f"{words}, each time the fault itself"
    return f"{words}: the fault in {sure.cause}, a consequence in {sure.consequence}"


def sure_sentence(rule: str) -> str:
    """The same for a rule's page, with what the counts are."""
    sure, (_, healthy) = sureness_of(rule), _measured()
    if sure is None:
        return "How sure: not known, as no test program was told of this rule as a cause."
    faulty = sure.found - sure.false_alarms
    few = ", which is few for a share" if sure.found < FEW else ""
    return (
        f"How sure: in faulty test programs this rule was told as a cause {_times(faulty)}{few}. "
        f"It was the fault itself in {sure.cause}, a consequence of it in {sure.consequence}, and "
        f"neither in {sure.astray}. In {healthy} healthy runs it was told "
        f"{_times(sure.false_alarms)}."
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def sureness_from(content: dict[str, Any]) -> tuple[dict[str, Sureness], int]:
    """What sureness.json says: of each rule, and how many runs were of programs without a fault.

    Raises:
        ValueError: counts that cannot be.
    """
    rules = {
        name: Sureness(of["cause"], of["consequence"], of["astray"], of["false"])
        for name, of in content["rules"].items()
    }
    return rules, content["healthy_runs"]


@cache
def _measured() -> tuple[dict[str, Sureness], int]:
    text = (
        files("layerscope.diagnose.findings").joinpath("sureness.json").read_text(encoding="utf-8")
    )
    return sureness_from(json.loads(text))
