"""Print what the rules find in the tests' programs into docs/diagnosis_measured.md, between two
markers, how sure that makes each rule into sureness.json, and that into the rules' pages. Some ten
minutes a seed. Stories that began with something else than the fault or what follows are printed on
stderr.

python scripts/print_confusion.py [SEED ...]
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "diagnosis_measured.md"
SURENESS = ROOT / "src" / "layerscope" / "diagnose" / "findings" / "sureness.json"
sys.path.insert(0, str(ROOT))  # the programs are the tests'
from layerscope.commands.one_sentence_parser import OneSentenceParser  # noqa: E402
from tests.diagnose.programs.every_program import PROGRAMS  # noqa: E402
from tests.diagnose.programs.judged import judged  # noqa: E402
from tests.diagnose.programs.what_it_was import counted, warnings_of_programs  # noqa: E402
from tests.diagnose.test_confusion import of_programs, table, warnings_of_planted  # noqa: E402

BEGIN, END = "<!-- programs: begin -->", "<!-- programs: end -->"


def main() -> int:
    """Writes the files; exit code 2 if the page has no markers."""
    parser = OneSentenceParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("seeds", type=int, nargs="*", default=[0], metavar="SEED")
    seeds = parser.parse_args().seeds
    if BEGIN not in PAGE.read_text() or END not in PAGE.read_text():
        print(f"{PAGE.name} must have the markers {BEGIN} and {END}", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    known = cache(judged)  # the table and the counts are of the same runs
    warned, healthy = warnings_of_programs(seeds, known)
    of_planted, without = warnings_of_planted(seeds)
    warned += of_planted
    for rule, was, name in warned:
        if was in ("astray", "false"):
            print(f"{was}: {rule} in {name}", file=sys.stderr)
    scores = {"healthy_runs": healthy + without, "rules": counted(warned)}
    SURENESS.write_text(json.dumps(scores, indent=1) + "\n")
    write(of_programs(seeds, judged=known), seeds)
    pages = Path(__file__).with_name("write_rule_pages.py")
    return subprocess.run([sys.executable, str(pages)], check=False).returncode


def write(counts: dict[str, dict[str, int]], seeds: list[int]) -> None:
    """Write the table.

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


if __name__ == "__main__":
    sys.exit(main())
