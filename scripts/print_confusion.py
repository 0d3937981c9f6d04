"""Print what the rules find in the tests' programs into docs/diagnosis.md, between two markers,
how sure that makes each rule into sureness.json, and that into the rules' pages. Some ten minutes a
seed.

python scripts/print_confusion.py [SEED ...]
"""

import json
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "diagnosis.md"
SURENESS = ROOT / "src" / "layerscope" / "diagnose" / "sureness.json"
sys.path.insert(0, str(ROOT))  # the programs are the tests'
from tests.diagnose.programs.every_program import PROGRAMS  # noqa: E402
from tests.diagnose.test_confusion import of_programs, table  # noqa: E402

BEGIN, END = "<!-- programs: begin -->", "<!-- programs: end -->"


def main() -> int:
    """Writes the files; exit code 2 if the page has no markers."""
    if BEGIN not in PAGE.read_text() or END not in PAGE.read_text():
        print(f"{PAGE.name} must have the markers {BEGIN} and {END}", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    seeds = [int(seed) for seed in sys.argv[1:]] or [0]
    write(of_programs(seeds), seeds)
    pages = Path(__file__).with_name("write_rule_pages.py")
    return subprocess.run([sys.executable, str(pages)], check=False).returncode


def write(counts: dict[str, dict[str, int]], seeds: list[int]) -> None:
    """Write the table and the scores.

    Args:
        counts: of each rule, as `of_programs` gives them.
        seeds: of the runs.
    """
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    told = (
        f"Seeds {', '.join(map(str, seeds))}, torch {torch.__version__.partition('+')[0]}, "
        "one thread of a CPU."
    )
    made = table(counts, len(PROGRAMS) * len(seeds))
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n\n{told}\n{END}{after}")
    rules = {
        rule: {"right": of["right"], "found": of["heads"]}
        for rule, of in sorted(counts.items())
        if of["heads"]
    }
    SURENESS.write_text(json.dumps({"rules": rules}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
