"""Print what the rules find in the tests' programs into docs/diagnosis.md, between two markers, and
how sure that makes each rule into sureness.json. Some ten minutes a seed.

python scripts/print_confusion.py [SEED ...]
"""

import json
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "diagnosis.md"
SURENESS = ROOT / "src" / "layerscope" / "diagnose" / "sureness.json"
BEGIN, END = "<!-- programs: begin -->", "<!-- programs: end -->"


def main() -> int:
    """Writes both files; exit code 2 if the page has no markers."""
    seeds = [int(seed) for seed in sys.argv[1:]] or [0]
    page = PAGE.read_text()
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(f"{PAGE.name} must have the markers {BEGIN} and {END}", file=sys.stderr)
        return 2
    sys.path.insert(0, str(ROOT))  # the programs are the tests'
    from tests.diagnose.programs.every_program import PROGRAMS
    from tests.diagnose.test_confusion import of_programs, table

    torch.set_num_threads(1)
    counts = of_programs(seeds)
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
