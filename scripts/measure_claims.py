"""Measure every claim of the course over 16 seeds, and write docs/lesson/claims.md of it.

python scripts/measure_claims.py            measures, some five minutes: claims.json and claims.md
python scripts/measure_claims.py --page     writes the page again of claims.json
"""

import json
import sys
import time
from math import isinf
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from layerscope.comparison.estimate import Estimate, estimate  # noqa: E402
from scripts.course_claims import CLAIMS, Claim  # noqa: E402

FOLDER = ROOT / "docs" / "lesson"
SEEDS = tuple(range(16))
_DIGITS = 5


def verdict(claim: Claim, of: Estimate) -> str:
    """Whether the interval lies within the claim's bounds, outside of them, or across one."""
    if claim.low <= of.low and of.high <= claim.high:
        return "holds"
    return "does not hold" if of.high < claim.low or of.low > claim.high else "cannot tell"


def effect(claim: Claim, median: float) -> str:
    """How far the median lies beyond the nearer bound: as a factor, or where that is 0 as such."""
    if claim.low <= median <= claim.high:
        return "within"
    bound = claim.low if median < claim.low else claim.high
    if bound == 0 or median / bound < 0:
        return f"{median - bound:+.3g}"
    return f"{median / bound:.3g} times the bound"


def bounds(claim: Claim) -> str:
    """What should be measured, if the claim holds."""
    if isinf(claim.high):
        return f"above {claim.low:g}"
    return f"{claim.low:g} to {claim.high:g}"


def page(data: dict[str, Any]) -> str:
    """claims.md of what was measured."""
    rows, counts = [], {"holds": 0, "does not hold": 0, "cannot tell": 0}
    reasons: dict[str, list[str]] = {}
    for claim in CLAIMS:
        of = estimate(data["values"][claim.name])
        told = verdict(claim, of)
        counts[told] += 1
        cells = (
            claim.source,
            claim.says,
            f"`{claim.experiment}`",
            claim.measured,
            bounds(claim),
            f"{of.median:.3g} ({of.low:.3g} to {of.high:.3g})",
            effect(claim, of.median),
            told,
        )
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        if told != "holds":
            reasons.setdefault(claim.why, []).append(f"{claim.says} ({claim.source})")
    told_why = [f"- **{'; '.join(says)}**: {why}" for why, says in reasons.items()]
    count, hold, fail = len(data["seeds"]), counts["holds"], counts["does not hold"]
    return f"""# What the course claims, and what is measured

The two documents are the page of the course's day 11, "Activations & Gradients", and its
notebook. Each sentence in them that can be measured is a row. Measured over {count} seeds: the
median and its 95 % interval (bootstrap over the seeds). A claim holds where the whole interval lies
between the bounds that it names or means, and does not hold where none of it does. The effect is
how far the median lies beyond the nearer bound. Networks are the experiment's, 100 units wide;
where training is needed, AdamW takes 500 steps of 128 examples at a constant rate.

{hold} of {len(CLAIMS)} hold and {fail} do not. In {counts["cannot tell"]} the interval crosses
a bound, so that the seeds cannot tell.

| where | claim | experiment | measured | should be | is (95 %) | effect | verdict |
|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

## Why, where it does not hold

{chr(10).join(told_why)}

[theory.md](../theory.md) has the formulas. Written by `python scripts/measure_claims.py` with torch
{data["torch"]} on a CPU; `claims.json` beside this page has the number of every seed.
"""


def measured(seeds: tuple[int, ...] = SEEDS, claims: tuple[Claim, ...] = CLAIMS) -> dict[str, Any]:
    """Each claim's number for each seed, of five digits; prints a line for each claim."""
    torch.set_num_threads(1)
    values = {}
    for place, claim in enumerate(claims, 1):
        started = time.monotonic()
        numbers = [float(f"{value:.{_DIGITS}g}") for value in claim.values(seeds)]
        values[claim.name] = numbers
        took = time.monotonic() - started
        told = f"{claim.name}: {estimate(numbers).median:.3g}, {took:.1f} s"
        print(f"[{place}/{len(claims)}] {told}", flush=True)
    version = torch.__version__.partition("+")[0]
    return {"seeds": list(seeds), "torch": version, "values": values}


def main() -> int:
    """Exit code 2 for an argument that is none."""
    if sys.argv[1:] not in ([], ["--page"]):
        print(f"error: the only argument is --page, got {' '.join(sys.argv[1:])}", file=sys.stderr)
        return 2
    file = FOLDER / "claims.json"
    FOLDER.mkdir(exist_ok=True)
    if not sys.argv[1:]:
        file.write_text(json.dumps(measured()) + "\n")
    (FOLDER / "claims.md").write_text(page(json.loads(file.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
