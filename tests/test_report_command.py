"""`layerscope report DIR`, as a user types it."""

import subprocess
import sys
from pathlib import Path

import pytest

from layerscope.__main__ import main
from layerscope.commands.report import report_on
from tests.runs import Made, write_sweep

ROOT = Path(__file__).parents[1]


def typed(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "layerscope", "report", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_sweep_ends_with_a_table_an_answer_and_three_files(tmp_path):
    write_sweep(tmp_path)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "events.out.tfevents.1.them").write_bytes(b"")
    done = typed(str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        "passed over: theirs: the run of another tool, without figures of layers\n"
    )
    assert "kaiming" in done.stdout
    assert "ends with the lowest val/loss" in " ".join(done.stdout.split())
    assert f"report: {tmp_path / 'report.html'}" in done.stdout
    for name in ("report.html", "comparison.json", "comparison.csv"):
        assert (tmp_path / name).is_file()


def test_a_comparison_without_a_page_names_none(tmp_path, capsys):
    report_on(write_sweep(tmp_path), page=False)
    assert "report" not in capsys.readouterr().out.splitlines()[-1]
    assert not (tmp_path / "report.html").exists()
    assert (tmp_path / "comparison.json").is_file()


def test_a_single_run_has_a_page_of_its_own(tmp_path, capsys):
    run = Made().write(tmp_path)
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").is_file()
    assert "ends with a val/loss of" in capsys.readouterr().out


def test_it_takes_no_pytorch(tmp_path):
    run = Made().write(tmp_path)
    code = (
        "import sys; from layerscope.__main__ import main; "
        f"code = main(['report', {str(run)!r}]); "
        "sys.exit(code or ('torch' in sys.modules) or ('lightning' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("missing", "error: there is no folder "),
        ("empty", "error: there is no run of LayerScope in "),
        ("file", "error: the runs to compare must be in a folder, got a file: "),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_sentence_and_exit_code_2(
    tmp_path, capsys, folder, sentence
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    assert main(["report", str(tmp_path / folder)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(sentence)
    assert err.count("\n") == 1
    assert not list(tmp_path.rglob("report.html"))
