"""The look of every table in the terminal: a rule under its heads, and nothing else."""

import re

from rich import box
from rich.table import Table
from rich.text import Text

NOTHING = "–"
"""What stands where there is no number."""
STYLES = {"critical": "bold red", "warning": "yellow", "note": "dim"}
"""Of a finding, by its severity."""


def plain_table(title: str, caption: str | Text | None = None, padding: int = 0) -> Table:
    """A table without columns, its title above and its caption below.

    Args:
        title: over the heads.
        caption: below the last row.
        padding: spaces to the right of a cell, beside the one that the box leaves.
    """
    return Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, padding, 0, 0),
    )


def short_exponent(written: str) -> str:
    """A number in as few characters as it needs.

    >>> short_exponent("1.5e+03"), short_exponent("2e-05"), short_exponent("0.25")
    ('1.5e3', '2e-5', '0.25')
    """
    return re.sub(r"e\+?(-?)0?(\d)", r"e\1\2", written)
