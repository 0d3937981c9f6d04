"""`make board` opens the newest runs; `make browser-test` says what it lacks."""

import os
import shutil

import pytest

from tests import makefile

INSTALLED = ("-o", ".venv/can-run", "-o", ".venv/can-test")


@pytest.fixture
def make(tmp_path):
    """make(target, ...) in a folder of its own, with programs that print what they are given."""
    (tmp_path / "bin").mkdir()
    for name in ("tensorboard", "python"):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\nprintf "<%s>" {name} "$@"\n')
        program.chmod(0o755)

    def make(*arguments, path=None):
        arguments = ("-f", makefile.ROOT / "Makefile", *INSTALLED, "BIN=bin", *arguments)
        return makefile.make(*arguments, cwd=tmp_path, path=path)

    return make


def write_status(folder, time):
    folder.mkdir(parents=True)
    (folder / "status.json").write_text("{}")
    os.utime(folder / "status.json", (time, time))


def test_board_opens_the_newest_sweep(make, tmp_path):
    logs = tmp_path / "logs"
    write_status(logs / "a" / "2026-01-01", 1_000)
    write_status(logs / "my names" / "multirun" / "2026-01-02" / "init=a,seed=0", 3_000)
    write_status(logs / "my names" / "multirun" / "2026-01-02" / "init=b,seed=0", 2_000)
    done = make("board", "ARGS=--port 7007 --bind_all")
    assert done.returncode == 0, done.stderr
    opened = "<tensorboard><--logdir><logs/my names/multirun/2026-01-02><--port><7007><--bind_all>"
    assert done.stdout.endswith(opened)
    assert "#histograms&regexInput=keyframes" in done.stdout


def test_board_opens_the_experiment_of_the_newest_run(make, tmp_path):
    write_status(tmp_path / "logs" / "b" / "2026-01-02", 2_000)
    write_status(tmp_path / "logs" / "a" / "2026-01-01", 1_000)
    assert make("board").stdout.endswith("<tensorboard><--logdir><logs/b>")


def test_board_without_runs_says_what_to_do(make):
    done = make("board")
    assert done.returncode == 2
    assert "make train" in done.stderr
    assert "<tensorboard>" not in done.stdout


def test_what_a_make_around_the_tests_hands_down_does_not_reach_this_one(
    make, tmp_path, monkeypatch
):
    write_status(tmp_path / "logs" / "a" / "2026-01-01", 1_000)
    alone = make("board")
    for name, value in {"MAKEFLAGS": "w -- ARGS=x", "MAKELEVEL": "1", "ARGS": "x"}.items():
        monkeypatch.setenv(name, value)
    assert make("board").stdout == alone.stdout


def test_browser_test_runs_the_tests_with_that_mark(make, tmp_path):
    browser = tmp_path / "chromium"
    browser.touch(0o755)
    done = make("browser-test", "ARGS=-x", path=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("<python><-m><pytest><-m><browser><-x>")


def test_browser_test_without_a_chromium_says_how_to_get_one(make, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("make", "sh", "id"):
        (tools / name).symlink_to(shutil.which(name))
    done = make("browser-test", path=str(tools))
    assert done.returncode == 2
    assert "apt-get install chromium" in done.stderr
    assert "<python>" not in done.stdout
