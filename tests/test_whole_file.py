"""What stands where a file of a run should."""

import errno
import os
import signal
import stat
from pathlib import Path

import pytest

from layerscope.__main__ import main
from layerscope.whole_file import read_json, write_whole
from tests.runs import Made


@pytest.fixture
def limit():
    """Nothing here waits for longer than a minute."""

    def stop(*_):
        raise TimeoutError("something waits for a reader or a writer that never comes")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(
    ("put", "sentence"),
    [
        (os.mkfifo, "it is a device or a pipe"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device or a pipe"),
        (lambda path: path.symlink_to(path), "symbolic links"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_text("[" * 100_000), "is nested too deeply"),
        (lambda path: path.write_text("9" * 5_000), "digits"),
        (lambda path: path.write_bytes(b"\xff\0"), "utf-8"),
    ],
)
def test_what_is_no_file_with_an_end_is_refused(tmp_path, limit, put, sentence):
    put(tmp_path / "status.json")
    with pytest.raises((OSError, ValueError), match=sentence):
        read_json(tmp_path / "status.json")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("pipe", "it is a device or a pipe"),
        ("folder", "Is a directory"),
        ("there/is/none", "No such file or directory"),
    ],
)
def test_nothing_but_a_file_is_replaced_and_the_users_path_is_told(tmp_path, name, sentence):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=sentence) as refused:
        write_whole(tmp_path / name, "text")
    assert refused.value.filename == str(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_full_disk_is_told_with_the_file_that_it_has_no_room_for(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as refused:
        write_whole(tmp_path / "report.html", "text")
    assert refused.value.filename == str(tmp_path / "report.html")


def test_a_disk_that_cannot_be_written_is_told_with_the_file_and_not_its_draft(
    tmp_path, monkeypatch
):
    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OSError, match="Read-only") as refused:
        write_whole(tmp_path / "report.html", "text")
    assert refused.value.filename == str(tmp_path / "report.html")


@pytest.mark.parametrize("command", ["report", "diagnose", "digest", "show"])
def test_a_run_with_pipes_among_its_files_is_read_without_them(tmp_path, limit, capsys, command):
    run = Made(steps=12).write(tmp_path)
    for name in ("status.json", "diagnosis.json", ".lock", "a.tfevents.b"):
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)
    for file in (run / ".hydra").iterdir():
        file.unlink()
        os.mkfifo(file)
    assert main([command, str(run)]) == 0
    assert capsys.readouterr().out
