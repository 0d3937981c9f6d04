import io

import pytest

from layerscope.console.health_table import health_table
from layerscope.console.summary import summary
from layerscope.console.terminal import terminal, waiting
from tests.console.test_health_table import predicted_run
from tests.made_findings import finding

SEVERITIES = ("critical", "warning", "note")


def printed(encoding, *renderables):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    console = terminal(stream)
    for each in renderables:
        console.print(each)
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "latin-1"])
def test_a_console_without_utf_8_prints_ascii_marks(encoding):
    found = [finding(severity=each, layer="01_層") for each in SEVERITIES]
    text = printed(encoding, summary(found, "logs/λ"), predicted_run_table())
    assert [line[0] for line in text.splitlines() if "saturated (" in line] == ["x", "!", "-"]
    assert "files: logs/?" in text or encoding == "cp437"


def predicted_run_table():
    return health_table(predicted_run())


def test_a_program_without_a_standard_output_prints_nothing(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    terminal().print(summary([finding(severity="critical")], "logs"))


def test_utf_8_stays_as_it_is():
    text = printed("utf-8", summary([finding(severity="critical", explanation="χ, 層")], "logs"))
    assert text.splitlines()[0] == "✗ saturated (01_tanh and 1 more layer, since step 3): χ, 層"


def test_it_prints_to_the_standard_output_of_the_moment(capsys):
    terminal().print("here")
    assert capsys.readouterr().out == "here\n"


def test_what_takes_its_time_says_so_on_a_terminal_alone(monkeypatch, capsys):
    with waiting("loading"):
        pass
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("FORCE_COLOR", "1")  # and so it is a terminal to rich
    with waiting("loading"):
        pass
    out, err = capsys.readouterr()
    assert out == ""
    assert "loading" in err
