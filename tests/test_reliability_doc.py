"""docs/reliability.md names tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMED = re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", (ROOT / "docs/reliability.md").read_text())


def test_every_promise_has_a_test_that_is_there():
    assert len(NAMED) > 20
    gone = []
    for name in NAMED:
        file, _, test = name.partition("::")
        text = (ROOT / file).read_text() if (ROOT / file).exists() else ""
        if not text or (test and f"def {test}(" not in text):
            gone.append(name)
    assert gone == []


def test_every_row_of_a_table_ends_with_a_test():
    rows = [
        line
        for line in (ROOT / "docs/reliability.md").read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| promise")
    ]
    assert [row for row in rows if "`tests/" not in row.split(" | ")[-1]] == []
