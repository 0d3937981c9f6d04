"""`.ci/run` and the Makefile: what is run, in which order, and what stops it."""

import os
import shutil
import subprocess

import pytest

from tests.makefile import ROOT, make


@pytest.fixture
def gate(tmp_path):
    """gate(): `.ci/run` in a folder of its own, with a make that prints what it is told to do.

    It gives the exit code and those lines. "fails" in the folder holds what that make refuses.
    """
    house, tools = tmp_path / "house", tmp_path / "tools"
    (house / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", house / ".ci/run")
    shutil.copy(ROOT / "README.md", house)
    (house / "fails").write_text("nothing")
    tools.mkdir()
    (tools / "make").write_text('#!/bin/sh\necho "make $*"; test "$*" != "$(cat fails)"\n')
    (tools / "make").chmod(0o755)

    def gate():
        done = subprocess.run(
            [house / ".ci/run"], capture_output=True, text=True, timeout=60, check=False,
            env={"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        )  # fmt: skip
        ran = [line for line in done.stdout.splitlines() if line.startswith("make ")]
        return done.returncode, ran, done.stderr

    gate.folder = house
    return gate


REST = "make -o test --jobs 2 --output-sync=target check"


def test_the_gate_runs_what_the_readme_says_and_then_the_rest_of_check(gate):
    assert gate() == (0, ["make test", REST], "")


def test_the_gate_follows_the_readme_word_for_word(gate):
    readme = gate.folder / "README.md"
    readme.write_text(readme.read_text().replace("    make test ", "    make test ARGS=-x "))
    assert gate()[:2] == (0, ["make test ARGS=-x", REST])


@pytest.mark.parametrize("fails", ["test", REST.removeprefix("make ")])
def test_the_gate_ends_at_the_first_command_that_fails(gate, fails):
    (gate.folder / "fails").write_text(fails)
    code, ran, _ = gate()
    assert code != 0
    assert ran[-1] == f"make {fails}"


def test_the_gate_refuses_a_readme_without_the_test_command(gate):
    (gate.folder / "README.md").write_text("## Start\n\n    make train\n\n## More\n    make test\n")
    assert gate() == (1, [], "README.md has no 'make test' under '## Start'\n")


def test_the_gate_leaves_an_environment_alone_and_checks_a_clone(gate):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", gate.folder]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *command], check=True, timeout=60)
    (gate.folder / ".venv").mkdir()
    (gate.folder / "fails").write_text("test")  # not committed: the clone does not have it
    assert gate()[:2] == (0, ["make test", REST])


def commands(*arguments):
    """What make would run, without the installation."""
    installed = ("-o", ".venv/can-run", "-o", ".venv/can-test")
    done = make("-n", *installed, *arguments)
    assert done.returncode == 0, done.stderr
    return [line.strip() for line in done.stdout.splitlines()]


STATIC = [
    ".venv/bin/ruff format --check .",
    ".venv/bin/ruff check .",
    ".venv/bin/mypy",
    ".venv/bin/lint-imports",
    ".venv/bin/python scripts/write_rule_pages.py --check",
]
FAST = ".venv/bin/python -m pytest -m 'not slow'"
SLOW = [
    ".venv/bin/python -m pytest -m 'slow and not programs and not rare' -n 3 --dist loadfile \\",
    "$(grep -rlE --include='test_*.py' 'mark\\.slow' tests)",
]


def test_check_runs_every_test_once_and_without_test_only_the_slow_ones():
    assert commands("test") == [FAST]
    assert commands("check") == [*STATIC, FAST, *SLOW]
    assert commands("-o", "test", "check") == [*STATIC, *SLOW]


def test_training_installs_what_running_needs_and_testing_the_rest(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").touch()

    def installs(target):
        lines = make("-n", "-f", ROOT / "Makefile", target, cwd=tmp_path).stdout.splitlines()
        return [line.split(" -e ")[1] for line in lines if " pip install " in line]

    assert installs("train") == ["'.[train]'"]
    assert installs("board") == ["'.[train]'"]
    assert installs("test") == ["'.[dev]'"]
    assert installs("check") == ["'.[dev]'"]


def test_help_needs_no_environment(tmp_path):
    done = make("-f", ROOT / "Makefile", "help", cwd=tmp_path)
    assert "make train" in done.stdout
    assert list(tmp_path.iterdir()) == []
