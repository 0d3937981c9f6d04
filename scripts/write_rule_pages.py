"""Write docs/rules/, the table of docs/diagnosis.md, and the thresholds of conf/monitor, from the
package: the rules' pages, and the docstring of `Thresholds`.

python scripts/write_rule_pages.py           after a change of a rule, its page or sureness.json
python scripts/write_rule_pages.py --check   only says whether that is needed; `make check` does it
"""

from __future__ import annotations

import re
import sys
from inspect import getdoc
from pathlib import Path

from layerscope.commands.one_sentence_parser import OneSentenceParser
from layerscope.diagnose.findings.sureness import sure_sentence
from layerscope.diagnose.rule_page import RulePage, page_names, page_of
from layerscope.diagnose.thresholds import Thresholds

DOCS = Path(__file__).parents[1] / "docs"
CONF = Path(__file__).parents[1] / "conf" / "monitor" / "default.yaml"
BEGIN, END = "<!-- rules -->", "<!-- /rules -->"

PICTURES = {
    "saturated": "Share of saturated outputs over the steps, a line per layer. Sick: 02_tanh jumps "
    "from 0 to 82 % at step 12, beyond critical. Healthy: all layers stay near or below 5 %.",
    "idle": "Standard deviation of the outputs over the steps. Sick: 04_tanh falls to 0.001 at "
    "step 12, below the limit of 0.01, and 05_tanh follows. Healthy: all layers stay between 0.28 "
    "and 0.65.",
    "biased": "Mean over standard deviation of the outputs over the steps. Sick: 02_tanh rises to "
    "29 at step 9, beyond the limit of 2. Healthy: all layers stay below 0.1.",
    "dead_units": "Share of dead units over the steps. Sick: 02_relu reaches 60 % at step 32, and "
    "step 17 is named, when the units fell silent. Healthy: no layer goes far above the note at "
    "10 %.",
    "vanishing_gradient": "Gradient norm over the layers, in three steps. Sick: from step 12 on, "
    "0.01 of it is left before 03_relu, below the limit of 0.05. Healthy: nearly level in all "
    "steps.",
    "exploding_gradient": "Gradient norm over the layers, in three steps. Sick: from step 6 on, it "
    "is about 2500 times as large before 03_relu, above the limit of 1000. Healthy: nearly level.",
    "gradient_spike": "Weight gradient over its running median, from step 20 on. Sick: 03_tanh "
    "shows 1000 in step 40, far above the limit of 10. Healthy: all layers stay near 1.",
    "update_too_large": "log10 of update over weight. Sick: all layers jump from -3 to above -1 at "
    "step 15, when the learning rate does. Healthy: they stay near the usual -3.",
    "update_too_small": "log10 of update over weight. Sick: 03_tanh stays near -7.5, below the "
    "limit of -5. Healthy: all layers stay near the usual -3.",
    "stalled": "log10 of update over weight, against the median layer. Sick: 03_tanh has no update "
    "at all, below the limit of -4. Healthy: all layers stay near 0.",
    "overconfident_start": "Loss over that of uniform guessing. Sick: 8.6 at step 0, above the "
    "limit of 1.5, and still above it at the end. Healthy: about 1 from the start.",
    "not_finite": "Share of outputs that are not finite. Sick: at step 10 few in 03_relu, which is "
    "named, and more in the layers after it; all outputs of all layers a step later. Healthy: "
    "none.",
    "collapsed": "Spread between samples over the size of the outputs. Sick: 02_tanh and all "
    "layers after it fall to 0.0004 at step 9, below the limit of 0.01. Healthy: all stay near 2.",
}
"""What each picture of docs/diagnosis/ shows, for who cannot see it."""


def pages() -> dict[str, str]:
    """The content of each file of docs/rules/, by file name."""
    return {f"{name}.md": _page(page_of(name)) for name in page_names()}


def with_table(text: str) -> str:
    """The text of docs/diagnosis.md, with today's table between its two markers."""
    before, rest = text.split(BEGIN)
    rows = ["| rule | it says | what to do first |", "|---|---|---|"]
    for name in page_names():
        page = page_of(name)
        rows.append(f"| [{name}](rules/{name}.md) | {page.says} | {page.to_do[0]} |")
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


def _page(page: RulePage) -> str:
    parts = [page.markdown(), f"{sure_sentence(page.rule)}\n"]
    if page.rule in PICTURES:
        parts.append(
            "A small network with this fault planted, and its healthy twin:\n\n"
            f"![{PICTURES[page.rule]}](../diagnosis/{page.rule}.png)\n"
        )
    parts.append(
        f"`layerscope explain {page.rule}` prints this page. [All rules](../diagnosis.md)\n"
    )
    return "\n".join(parts)


def stale(docs: Path = DOCS, conf: Path = CONF) -> dict[Path, str | None]:
    """The files that are not what they should be, with what they should say; None: be gone."""
    diagnosis = docs / "diagnosis.md"
    wanted: dict[Path, str | None] = dict.fromkeys((docs / "rules").glob("*.md"))
    wanted |= {docs / "rules" / name: text for name, text in pages().items()}
    wanted[diagnosis] = with_table(diagnosis.read_text(encoding="utf-8"))
    wanted[conf] = with_thresholds(conf.read_text(encoding="utf-8"))
    there = (path for path in wanted if path.exists())
    now = {path: path.read_text(encoding="utf-8") for path in there}
    return {path: text for path, text in wanted.items() if now.get(path) != text}


def main() -> int:
    """Write what is not current, and delete the page of a rule that is gone; 1 from a check that
    finds such.
    """
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
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
