"""A refusal is one line, whatever is in the name that it tells."""

import pytest

from layerscope.refusal import refuse


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ("seed must be at least 0, got -1", "seed must be at least 0, got -1"),
        (ValueError("No such strategy."), "No such strategy"),
        ("there is no folder a\x07b\nc\x1b[2J\u200b", r"there is no folder a\x07b\nc\x1b[2J\u200b"),
        ("there is no run in .", "there is no run in ."),
        ("there is no run in ../..", "there is no run in ../.."),
        (OSError(21, "Is a directory", "runs/report.html"), "runs/report.html: Is a directory"),
        (OSError("could not make a socket"), "could not make a socket"),
        ("init=münchen ☃", "init=münchen ☃"),
    ],
)
def test_a_refusal_is_one_line_and_moves_no_cursor(capsys, told, line):
    assert refuse(told) == 2
    assert capsys.readouterr().err == f"error: {line}\n"
