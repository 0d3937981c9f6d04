"""The look of every table in the terminal: a rule under its heads, and nothing else."""

import re
from collections.abc import Sequence
from copy import copy
from dataclasses import replace

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

NOTHING = "–"
"""What stands where there is no number."""
STYLES = {"critical": "bold red", "warning": "yellow", "note": "dim"}
"""Of a finding, by its severity."""


_WIDE = 80
"""Columns of a terminal in which every table has room."""


class PlainTable(Table):
    """A table that leaves columns out where the terminal is narrower than 80 columns, and says so:
    a number that is cut short is worth nothing.

    Attributes:
        spare: heads of the columns that may be left out, the one that is missed least first.
    """

    spare: Sequence[str] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What fits."""
        return Table.__rich_console__(self._fitted(options.max_width), console, options)

    def _fitted(self, width: int) -> Table:
        if width >= _WIDE:
            return self
        kept, gap = list(self.columns), 1 + self.padding[1]
        left_out: list[str] = []
        for head in self.spare:
            if sum(map(_needed, kept)) + gap * (len(kept) - 1) <= width:
                break
            fewer = [each for each in kept if each.header != head]
            left_out += [head] * (len(fewer) < len(kept))
            kept = fewer
        if not left_out:
            return self
        fitted = copy(self)
        fitted.columns = [replace(each, _index=index) for index, each in enumerate(kept)]
        told = f"Left out, as the terminal is narrow: {', '.join(left_out)}."
        fitted.caption = Text("\n".join(filter(None, [str(self.caption or ""), told])))
        return fitted


def _needed(column: Column) -> int:
    """The width in which a column is shown without a word cut in two, nor a mark from its word."""
    cells = [str(cell) for cell in (column.header, *column.cells)]
    ends = r"\n" if column.no_wrap else r"\n|(?<=\S\S) "
    parts = [part for cell in cells for part in re.split(ends, cell)]
    return min(max(map(cell_len, parts)), column.max_width or _WIDE)


def plain_table(title: str, caption: str | Text | None = None, padding: int = 0) -> PlainTable:
    """A table without columns, its title above, its caption below; `padding` is right of a cell."""
    return PlainTable(
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
