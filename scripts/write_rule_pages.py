"""Write the table of docs/diagnosis.md and the thresholds of conf/monitor, from the package: the
rules' pages, and the docstring of `Thresholds`.

python scripts/write_rule_pages.py           after a change of a rule, its page or sureness.json
python scripts/write_rule_pages.py --check   only says whether that is needed; `make check` does it
"""

from __future__ import annotations

import re
import sys
from inspect import getdoc
from pathlib import Path

from layerscope.commands.one_sentence_parser import OneSentenceParser
from layerscope.diagnose.rule_page import page_names, page_of
from layerscope.diagnose.thresholds import Thresholds

DIAGNOSIS = Path(__file__).parents[1] / "docs" / "diagnosis.md"
CONF = Path(__file__).parents[1] / "conf" / "monitor" / "default.yaml"
PAGES = "../src/layerscope/diagnose/pages"
BEGIN, END = "<!-- rules -->", "<!-- /rules -->"


def with_table(text: str) -> str:
    """The text of docs/diagnosis.md, with today's table between its two markers."""
    before, rest = text.split(BEGIN)
    rows = ["| rule | it says | what to do first |", "|---|---|---|"]
    for name in page_names():
        page = page_of(name)
        rows.append(f"| [{name}]({PAGES}/{name}.md) | {page.says} | {page.to_do[0]} |")
    return f"{before}{BEGIN}\n{chr(10).join(rows)}\n{END}{rest.split(END)[1]}"


def with_thresholds(text: str) -> str:
    """The text of conf/monitor/default.yaml, which ends with each threshold, its value and the
    first sentence of what its docstring says of it.
    """
    before, mark, _ = text.partition(f"  _target_: layerscope.diagnose.{Thresholds.__name__}\n")
    arguments = str(getdoc(Thresholds)).partition("Args:")[2].partition("Raises:")[0]
    told = re.findall(r"^    (\w+): (.*?)(?=^    \w|\Z)", arguments, re.M | re.S)
    rows = (
        f"  {name}: {getattr(Thresholds, name)!r} # "
        + re.split(r"(?<! al)\.(?: |$)", " ".join(words.split()))[0]
        for name, words in told
    )
    return f"{before}{mark}{chr(10).join(rows)}\n"


def stale(diagnosis: Path = DIAGNOSIS, conf: Path = CONF) -> dict[Path, str]:
    """The files that are not what they should be, with what they should say."""
    now = {path: path.read_text(encoding="utf-8") for path in (diagnosis, conf)}
    wanted = {diagnosis: with_table(now[diagnosis]), conf: with_thresholds(now[conf])}
    return {path: text for path, text in wanted.items() if now[path] != text}


def main() -> int:
    """Write what is not current; 1 from a check that finds such."""
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether that is needed")
    check = parser.parse_args().check
    found = stale()
    if check:
        if found:
            names = ", ".join(sorted(path.name for path in found))
            print(f"this is not what the package says: {names}", file=sys.stderr)
            print("to mend it, type: python scripts/write_rule_pages.py", file=sys.stderr)
        return bool(found)
    for path, text in found.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
