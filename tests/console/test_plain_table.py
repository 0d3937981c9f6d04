"""What a table shows in a terminal that is narrower than it."""

import pytest
from rich.console import Console
from rich.text import Text

from layerscope.console.plain_table import plain_table

ROWS = [("01_block", "0.123456789", "1,234,567,890", Text("! dead_units from 0"))]


def table():
    made = plain_table("Health", "what it means")
    made.add_column("layer", overflow="fold")
    for head in ("mean", "std"):
        made.add_column(head, justify="right", no_wrap=True)
    made.add_column("finding", overflow="fold")
    for row in ROWS:
        made.add_row(*row)
    made.spare = ("mean", "std")
    return made


def printed(width):
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        console.print(table())
    return " ".join(captured.get().split())


@pytest.mark.parametrize(
    ("width", "left_out"), [(80, None), (60, None), (40, "mean"), (30, "mean, std")]
)
def test_a_narrow_terminal_gets_fewer_columns_and_no_number_that_is_cut_short(width, left_out):
    text = printed(width)
    assert "01_block" in text
    assert "! dead_units" in text
    assert "…" not in text
    for head, number in zip(("mean", "std"), ROWS[0][1:3], strict=True):
        assert (number in text) is (head not in (left_out or ""))
    said = f"what it means Left out, as the terminal is narrow: {left_out}."
    assert text.endswith(said if left_out else "what it means")


def test_a_table_that_was_shown_narrow_is_whole_in_the_next_terminal():
    made = table()
    for width in (30, 80):
        console = Console(width=width, no_color=True)
        with console.capture() as captured:
            console.print(made)
    assert ROWS[0][1] in captured.get()
