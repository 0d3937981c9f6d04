"""The page of each rule: what it says, how it is judged, what it cannot see, what to do.

One text for all who show it, `pages/RULE.md`: `layerscope explain` prints it, the site's page and
the table of docs/diagnosis.md are made of it. Thresholds stand in it as format fields, such as
`{input_large:g}`, so that a page cannot say another number than the rule compares with.
"""

import re
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from layerscope.diagnose.registry import RULES
from layerscope.diagnose.thresholds import Thresholds

HEADINGS = {
    "what": "What it is",
    "why": "Why it matters",
    "judged": "How it is judged",
    "blind": "What it cannot see",
    "example": "Example",
    "remedy": "What to do",
}
"""The sections of a page by field of `RulePage`, in the order in which they stand."""

_BESIDE_RULES = ("not_measured", "unexpected")  # findings that no rule of figures makes
_FOLDER = "pages"


@dataclass(frozen=True, slots=True)
class RulePage:
    """What there is to know of a rule; all but the first two are Markdown.

    Attributes:
        rule: its name, as findings have it.
        says: what its finding says, in one sentence.
        what: the figure that is judged.
        why: what harm it does.
        judged: with the thresholds' values, and where they come from.
        blind: where it says nothing, or something wrong.
        example: code that makes such a finding.
        remedy: what to do, as a list; the first item first.
    """

    rule: str
    says: str
    what: str
    why: str
    judged: str
    blind: str
    example: str
    remedy: str

    @property
    def to_do(self) -> list[str]:
        """The items of `remedy`, a line each."""
        items = re.split(r"\n(?=- )", self.remedy)
        return [" ".join(item.removeprefix("- ").split()) for item in items]

    def markdown(self) -> str:
        """The whole page, from its title on."""
        sections = [f"## {title}\n{getattr(self, name)}" for name, title in HEADINGS.items()]
        return "\n\n".join([f"# {self.rule}", self.says, *sections]) + "\n"


def page_names() -> list[str]:
    """Whatever a finding may be called that has a page: the rules in order, then the others.

    A rule that a user has registered has none.
    """
    return [*(name for name in RULES if _file(name).is_file()), *_BESIDE_RULES]


def page_of(rule: str, thresholds: Thresholds | None = None) -> RulePage:
    """The page of a rule, with the thresholds' values in it; those of `Thresholds()` if None.

    Raises:
        KeyError: there is no page of that name.
        ValueError: the page lacks a section, or names a threshold that there is not.
    """
    if rule not in page_names():
        raise KeyError(f"there is no page of a rule named {rule!r}")
    return _page(rule, thresholds or Thresholds())


@cache
def _page(rule: str, thresholds: Thresholds) -> RulePage:
    text = _file(rule).read_text(encoding="utf-8")
    try:
        text = text.format_map(asdict(thresholds))
    except (KeyError, ValueError) as error:
        raise ValueError(f"pages/{rule}.md has a field that is no threshold: {error}") from error
    head, *sections = re.split(r"(?m)^## ", text)
    title, _, says = head.strip().partition("\n")
    parts = dict(section.strip().split("\n", 1) for section in sections)
    if title != f"# {rule}" or list(parts) != list(HEADINGS.values()):
        raise ValueError(f"pages/{rule}.md must have the sections {', '.join(HEADINGS.values())}")
    fields = {name: parts[heading].strip("\n") for name, heading in HEADINGS.items()}
    return RulePage(rule, " ".join(says.split()), **fields)


def _file(rule: str) -> Traversable:
    return files("layerscope.diagnose").joinpath(_FOLDER, f"{rule}.md")
