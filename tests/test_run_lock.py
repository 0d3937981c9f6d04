"""A folder is held by one process, in any spelling, until that process ends."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from layerscope import run_lock, watch
from layerscope.process_identity import ProcessIdentity
from layerscope.run_lock import FolderTakenError, RunLock, holder_of

HOLDS = """
import sys, time
from pathlib import Path
from layerscope.run_lock import RunLock
lock = RunLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate(timeout=30)


def test_a_folder_that_another_process_holds_is_refused_and_the_process_is_named(tmp_path, other):
    link = tmp_path.parent / f"{tmp_path.name}_link"
    link.symlink_to(tmp_path)
    for spelling in (tmp_path, link, Path(os.path.relpath(tmp_path))):
        with pytest.raises(FolderTakenError, match=f"by another process, {other.pid} on "):
            RunLock(spelling)
    assert holder_of(tmp_path).pid == other.pid


def test_a_run_of_another_process_that_goes_on_is_no_earlier_run(tmp_path, other):
    (tmp_path / "keyframes").mkdir()
    (tmp_path / "keyframes" / "events.out.tfevents.1").touch()
    net = torch.nn.Linear(3, 1)
    with pytest.raises(ValueError, match=f"is being written by another process, {other.pid} on "):
        watch(net, tmp_path).start()
    other.send_signal(signal.SIGKILL)
    other.wait(timeout=30)
    with pytest.raises(ValueError, match="holds an earlier run; choose another folder, or resume"):
        watch(net, tmp_path).start()
    assert holder_of(tmp_path).has_ended  # which a refusal does not forget


def test_a_killed_process_holds_nothing_and_what_it_was_is_known(tmp_path, other):
    other.send_signal(signal.SIGKILL)
    other.wait(timeout=30)
    left = holder_of(tmp_path)
    assert left.has_ended
    with RunLock(tmp_path):
        assert holder_of(tmp_path) == ProcessIdentity.own()
    assert list(tmp_path.iterdir()) == []


def test_a_process_may_hold_a_folder_twice_and_it_is_free_after_both(tmp_path):
    outer, inner = RunLock(tmp_path), RunLock(tmp_path)
    inner.release()
    inner.release()
    assert holder_of(tmp_path) is not None
    outer.release()
    assert holder_of(tmp_path) is None


def test_a_forked_child_that_outlives_its_parent_does_not_hold_the_folder(tmp_path):
    lock = RunLock(tmp_path)
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:  # until the parent lets it go
        os.close(writes)
        os.read(reads, 1)
        os._exit(0)
    os.close(reads)
    try:
        lock.release()
        done = subprocess.run(
            [sys.executable, "-c", HOLDS.replace("60", "0"), str(tmp_path)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stdout == "held\n", done.stderr
    finally:
        os.close(writes)
        os.waitpid(child, 0)


def test_a_folder_that_was_removed_and_made_again_is_locked_again(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    first = RunLock(folder)
    (folder / run_lock.NAME).unlink()
    folder.rmdir()
    folder.mkdir()
    second = RunLock(folder)
    assert holder_of(folder) is not None
    second.release()
    first.release()
    assert holder_of(folder) is None


def test_a_process_that_goes_to_another_folder_holds_its_own_all_the_same(tmp_path, monkeypatch):
    """As `hydra.job.chdir=true` and `os.chdir` in a script do."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    with RunLock(Path("run")):
        monkeypatch.chdir("run")
        with RunLock(tmp_path / "run"):
            assert (tmp_path / "run" / run_lock.NAME).exists()
    assert not (tmp_path / "run" / run_lock.NAME).exists()


def test_where_a_file_system_knows_no_locks_that_is_told(tmp_path, monkeypatch, caplog):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(run_lock.fcntl, "flock", no_locks)
    with RunLock(tmp_path):
        assert f"{tmp_path} cannot be locked (No locks available)" in caplog.text


def test_a_process_is_told_from_a_later_one_with_its_number_and_from_another_start(monkeypatch):
    own = ProcessIdentity.own()
    assert not own.has_ended
    assert ProcessIdentity.of_json(json.loads(json.dumps(own.as_json()))) == own
    boot, space = own.boot.split(" ")
    later = ProcessIdentity(own.pid, own.started - 1, own.boot, own.host)
    before = ProcessIdentity(own.pid, own.started, f"{boot[::-1]} {space}", own.host)
    container = ProcessIdentity(own.pid, own.started, f"{boot} pid:[1]", own.host)
    elsewhere = ProcessIdentity(own.pid, own.started - 1, own.boot, f"{own.host}2")
    assert (later.has_ended, before.has_ended) == (True, True)
    assert (container.has_ended, elsewhere.has_ended) == (False, False)


@pytest.mark.parametrize("content", [None, [], {}, {"pid": "1", "host": "a"}, {"pid": 1}])
def test_what_is_no_identity_is_nobody(content):
    assert ProcessIdentity.of_json(content) is None
