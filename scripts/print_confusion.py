"""Print what the rules find in the tests' programs into docs/diagnosis.md, between two markers.

python scripts/print_confusion.py [SEED]
"""

import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "diagnosis.md"
BEGIN, END = "<!-- programs: begin -->", "<!-- programs: end -->"


def main() -> int:
    """Writes the page; exit code 2 if it has no markers."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    page = PAGE.read_text()
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(f"{PAGE.name} must have the markers {BEGIN} and {END}", file=sys.stderr)
        return 2
    sys.path.insert(0, str(ROOT))  # the programs are the tests'
    from tests.diagnose.test_confusion import of_programs

    torch.set_num_threads(1)
    table = of_programs(seed)
    told = f"Seed {seed}, torch {torch.__version__.partition('+')[0]}, one thread of a CPU."
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n\n{told}\n{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
