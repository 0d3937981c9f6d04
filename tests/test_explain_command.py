"""`layerscope explain RULE`, as a user types it."""

import io
import json
import signal
import subprocess
import sys
from contextlib import redirect_stdout

from layerscope.__main__ import main
from layerscope.diagnose.rule_page import HEADINGS, page_names, page_of


def test_it_prints_the_page_and_how_sure_the_rule_is(capsys):
    assert main(["explain", "input_scale"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(page_of("input_scale").markdown())
    assert "\nHow sure: " in told


def test_as_json_it_has_each_section(capsys):
    assert main(["explain", "saturated", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"rule", "says", *HEADINGS, "sure"}
    assert "above 20%" in told["judged"]


def test_without_a_rule_it_lists_all_with_a_line_each(capsys):
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == page_names()
    assert lines[page_names().index("idle")].endswith(page_of("idle").says)


def test_on_a_terminal_what_a_rule_says_goes_on_below_itself(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # and so it is a terminal to rich
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > len(page_names())
    assert all(len(line) <= 80 for line in lines)
    assert {line.split()[0] for line in lines if line[0] != " "} == set(page_names())


def test_the_list_comes_as_json_too(capsys):
    assert main(["explain", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["rule"] for each in told] == page_names()
    assert all(each["says"] for each in told)


def test_an_unknown_rule_is_answered_with_the_nearest_and_exit_code_2(capsys):
    assert main(["explain", "Update-to-large"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "error: there is no rule named 'Update-to-large'; the nearest is update_too_large\n"
    )


def test_a_word_that_is_like_no_rule_is_answered_with_where_they_are_listed(capsys):
    assert main(["explain", "foo"]) == 2
    told = "error: there is no rule named 'foo'; `layerscope explain` lists them\n"
    assert capsys.readouterr().err == told


def test_it_answers_without_torch():
    program = (
        "import sys; from layerscope.__main__ import main; main(['explain', 'idle']); "
        "sys.exit(3 if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=120)
    assert done.returncode == 0


class _CtrlC(io.StringIO):
    """A terminal at which somebody presses Ctrl-C as soon as a command prints."""

    def write(self, text: str) -> int:
        signal.raise_signal(signal.SIGINT)
        return len(text)


def test_ctrl_c_ends_a_command_without_a_traceback():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # as a new process has it
    try:
        with redirect_stdout(_CtrlC()):
            assert main(["explain"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
