"""The last line of a run."""

import pytest

from layerscope.diagnose import Finding
from layerscope.training.ending import last_line


def finding(severity):
    numbers = {"step": 0, "last_step": 3, "layers": 1, "value": 0.7, "worst": 0.8, "threshold": 0.2}
    words = {"source": "x", "explanation": "y", "remedy": "z"}
    return Finding("saturated", severity, "01_tanh", **numbers, **words).as_json()


@pytest.mark.parametrize(
    ("severities", "told"),
    [
        (["critical", "warning", "note", "note"], "1 critical, 1 warning, 2 notes"),
        (["warning", "warning"], "2 warnings"),
        ([], "no finding"),
    ],
)
def test_the_last_line_counts_the_findings(tmp_path, monkeypatch, severities, told):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "logs" / "a" / "run"
    findings = [finding(each) for each in severities]
    line = last_line(findings, folder / "report.html", folder).plain
    assert line == (
        f"{told} · report: logs/a/run/report.html · board: tensorboard --logdir logs/a/run"
    )
    (tmp_path / "Makefile").touch()
    assert last_line(findings, None, folder).plain == f"{told} · board: make board"


def test_a_run_that_nobody_watched_has_no_findings_to_count(tmp_path):
    assert last_line(None, None, tmp_path).plain == f"board: tensorboard --logdir {tmp_path}"
