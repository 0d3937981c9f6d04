"""Tab after `layerscope` and `python train.py`, in a real bash."""

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from layerscope.commands.command_line import complete_overrides

ROOT = Path(__file__).parents[2]

# What a Tab does: bash fills these variables, and calls the function that `complete -F` named.
TAB = """
tab() {
    COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMPREPLY=()
    read -ra COMP_WORDS <<< "$COMP_LINE"
    [[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    $(complete -p "${COMP_WORDS[0]}" | sed -E 's/.*-F ([^ ]+).*/\\1/') "${COMP_WORDS[0]}"
    echo "$1: ${COMPREPLY[*]}"
}
"""


def in_bash(tmp_path, script):
    """What a bash prints in which `layerscope` and `python` are those of this environment."""
    programs = {"layerscope": "-m layerscope", "python": "", "register": "-m argcomplete"}
    for name, words in programs.items():
        (tmp_path / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["bash", "--norc", "-c", TAB + script],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.mark.slow
def test_tab_completes_commands_options_rules_and_settings(tmp_path):
    shellcode = pytest.importorskip("argcomplete.shell_integration").shellcode
    (tmp_path / "complete.bash").write_text(shellcode(["layerscope"], shell="bash"))
    got = in_bash(
        tmp_path,
        f"source {tmp_path}/complete.bash\n"
        "tab 'layerscope pre'\n"
        "tab 'layerscope explain vanish'\n"
        "tab 'layerscope run --fail-on '\n"
        "tab 'layerscope train -m init=kaiming model.dep'\n",
    )
    assert {line: words.split() for line, words in got.items()} == {
        "layerscope pre": ["predict"],
        "layerscope explain vanish": ["vanishing_gradient"],
        "layerscope run --fail-on ": ["warning", "critical"],
        "layerscope train -m init=kaiming model.dep": ["model.depth="],
    }


@pytest.mark.slow
def test_hydras_own_completion_completes_train_py(tmp_path):
    got = in_bash(
        tmp_path,
        'eval "$(python train.py -sc install=bash)"\n'
        "tab 'python train.py init=k'\ntab 'python train.py experiment=van'\n",
    )
    assert got == {
        "python train.py init=k": "init=kaiming",
        "python train.py experiment=van": "experiment=vanishing",
    }


def test_a_setting_is_completed_by_the_choices_of_its_group_the_users_among_them(
    tmp_path, monkeypatch
):
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "mine.yaml").write_text("gain: 1\n")
    monkeypatch.setattr("sys.argv", ["layerscope"])
    monkeypatch.delenv("COMP_LINE", raising=False)
    before = Namespace(overrides=["model.depth=3"], config_dir=tmp_path)
    got = complete_overrides("init=", before)
    monkeypatch.delenv("COMP_LINE")
    assert {"init=kaiming", "init=mine"} <= {*got}
