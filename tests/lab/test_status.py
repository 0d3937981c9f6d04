import json
import re
import subprocess
import sys
from math import inf, nan
from pathlib import Path

import pytest

from layerscope.lab.status import RunStatus
from layerscope.process_identity import ProcessIdentity


def read(folder: Path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads((folder / "status.json").read_text(), parse_constant=refuse)


WHOLE = RunStatus(
    "finished",
    val_loss=2.1,
    seconds=9.5,
    steps=2520,
    fingerprint="0123456789abcdef",
    overrides=("init=xavier", "seed=1"),
    versions={"torch": "2.13.0"},
    process=ProcessIdentity(123, 456, "boot pid:[1]", "host"),
)


def test_the_file_has_what_a_run_reached_and_what_repeats_it(tmp_path):
    WHOLE.write(tmp_path)
    assert read(tmp_path) == {
        "state": "finished",
        "reason": None,
        "val/loss": 2.1,
        "seconds": 9.5,
        "steps": 2520,
        "fingerprint": "0123456789abcdef",
        "overrides": ["init=xavier", "seed=1"],
        "versions": {"torch": "2.13.0"},
        "process": {"pid": 123, "started": 456, "boot": "boot pid:[1]", "host": "host"},
    }
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize(
    ("status", "val_loss", "reason"),
    [
        (RunStatus("finished", val_loss=nan), None, "val/loss is nan."),
        (RunStatus("failed", "It blew up.", val_loss=inf), None, "It blew up. val/loss is inf."),
        (RunStatus("finished", val_loss=2.0, seconds=nan), 2.0, "seconds is nan."),
    ],
)
def test_a_number_that_is_not_finite_is_null_and_told_in_the_reason(
    tmp_path, status, val_loss, reason
):
    status.write(tmp_path)
    written = read(tmp_path)
    assert written["val/loss"] == val_loss
    assert written["reason"] == reason


def test_the_second_status_takes_the_place_of_the_first(tmp_path):
    RunStatus("running").write(tmp_path)
    RunStatus("interrupted", "SIGINT").write(tmp_path)
    assert read(tmp_path)["state"] == "interrupted"


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    RunStatus("running").write(tmp_path)

    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        RunStatus("finished").write(tmp_path)
    assert read(tmp_path)["state"] == "running"
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"state": "done"},
            "state must be one of running, finished, failed, interrupted, got 'done'",
        ),
        ({"state": "failed", "steps": -1}, "steps must be at least 0, got -1"),
    ],
)
def test_a_bad_argument_is_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        RunStatus(**arguments)


def test_what_was_written_is_read_back(tmp_path):
    WHOLE.write(tmp_path)
    assert RunStatus.read(tmp_path) == WHOLE


@pytest.mark.parametrize("text", [None, "", "[]", '{"state": "done"}', '{"state": "finished"}'])
def test_a_file_that_is_no_status_reads_as_none(tmp_path, text):
    if text is not None:
        (tmp_path / "status.json").write_text(text)
    assert RunStatus.read(tmp_path) is None


def test_a_status_of_an_earlier_version_is_read(tmp_path):
    text = '{"state": "finished", "reason": null, "val/loss": 2.1, "seconds": 1.0, "steps": 3}'
    (tmp_path / "status.json").write_text(text)
    assert RunStatus.read(tmp_path) == RunStatus("finished", None, 2.1, 1.0, 3)


def test_a_run_whose_process_was_killed_has_died_and_says_so_to_whoever_reads_it(tmp_path):
    code = """
import sys, time
from pathlib import Path
from layerscope.lab.status import RunStatus
from layerscope.process_identity import ProcessIdentity
RunStatus("running", process=ProcessIdentity.own()).write(Path(sys.argv[1]))
print("written", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "written\n"
        assert not RunStatus.read(tmp_path).process.has_ended
    finally:
        process.kill()
        process.communicate(timeout=30)
    assert RunStatus.read(tmp_path).state == "running"
    assert RunStatus.read(tmp_path).process.has_ended
