"""What `python train.py` answers before it imports torch, as real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import hydra
import pytest
from hydra import compose, initialize_config_dir

from layerscope.lab.status import RunStatus
from layerscope.training.start import start

TRAIN = Path(__file__).parents[2] / "train.py"


def torch_that(tmp_path, does):
    """The environment of a process in which importing torch or lightning does this."""
    for name in ("torch", "lightning"):
        (tmp_path / "packages" / name).mkdir(parents=True)
        (tmp_path / "packages" / name / "__init__.py").write_text(does)
    return os.environ | {"PYTHONPATH": str(tmp_path / "packages")}


def answered(tmp_path, *arguments):
    """The finished process; it may neither import torch nor write anything."""
    environment = torch_that(tmp_path, "raise RuntimeError('imported')")
    here = tmp_path / "here"
    here.mkdir()
    done = subprocess.run(
        [sys.executable, TRAIN, *arguments],
        cwd=here, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert list(here.iterdir()) == []
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["init=kaimin"], "got kaimin; did you mean kaiming?"),
        (["model.deph=3"], "there is no key model.deph; did you mean model.depth?"),
        (["logger=null"], "logger must be one of events, got null"),
        (["report=abc"], "report must be true or false, got abc"),
        (["init.gain=abc"], "init.gain must be a number, got abc"),
        (["folder=/dev/null/x"], "folder must be a folder, got /dev/null/x: /dev/null is not one"),
        (["-m", "init.gian=1"], "there is no key init.gian; did you mean init.gain?"),
        (["--cfg", "job", "init=kaimin"], "did you mean kaiming?"),
        (["seed=${oc.env:NO_SUCH}"], "seed: KeyError raised while resolving interpolation"),
        (["--experimental-rerun", "x"], "--experimental-rerun must be left out, got x"),
    ],
)
def test_a_typo_is_one_sentence_without_torch_and_nothing_is_written(tmp_path, arguments, sentence):
    done = answered(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert sentence in done.stderr
    assert done.stdout == ""


BOMB = "a0: &a0 x\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 7)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a:\n\tb: 1", "mine.yaml must be YAML: found character '\\t' that cannot start any token"),
        ("a: 1\na: 2", "mine.yaml must be YAML: found duplicate key a (line 2)"),
        ("a: &a [*a]", "no config and no value may be nested without end, or lead to itself"),
        ("3", "mine.yaml must be YAML of keys and values: Invalid loaded object type: int"),
        (BOMB, "mine.yaml must have at most 10000 values, got 672612"),
        ("a: !!python/object/apply:os.mkdir [x]", "could not determine a constructor for the tag"),
    ],
)
def test_a_file_that_is_no_config_is_one_sentence(tmp_path, monkeypatch, capsys, text, told):
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "mine.yaml").write_text(text)

    def composes():
        with initialize_config_dir(str(TRAIN.parent / "conf"), version_base="1.3"):
            compose("train", [f"hydra.searchpath=[file://{tmp_path}]", "init=mine"])

    monkeypatch.setattr(sys, "argv", ["train.py", "--config-dir", str(tmp_path)])
    assert start(composes, TRAIN.parent / "conf", "python train.py") == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_name_that_the_console_cannot_spell_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train.py", "folder=m\udcc3\udcbcnchen"])
    assert start(lambda: None, TRAIN.parent / "conf", "python train.py") == 2
    assert capsys.readouterr().err.endswith(
        "nchen must be text that this console can spell, which "
        f"knows {sys.getfilesystemencoding()} only: set PYTHONUTF8=1\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], ["init: critical, glorot, kaiming", "  depth: 5\n", "--hydra-help"]),
        (["init=orthogonal", "-h"], ["layerscope.lab.init.orthogonal"]),
        (["--hydra-help"], ["--config-dir"]),
        (["--cfg", "job", "--package", "model"], ["depth: 5"]),
        (["--info", "plugins"], ["BasicSweeper"]),
    ],
)
def test_hydras_own_flags_answer_without_torch(tmp_path, arguments, words):
    done = answered(tmp_path, *arguments)
    assert done.returncode == 0
    assert all(word in done.stdout for word in words)


@pytest.mark.parametrize(
    ("number", "code", "cause"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")]
)
def test_a_run_that_is_stopped_before_training_says_so(tmp_path, number, code, cause):
    importing = tmp_path / "importing"
    wait = f"import time\nopen({str(importing)!r}, 'w').close()\ntime.sleep(120)"
    process = subprocess.Popen(
        [sys.executable, TRAIN, f"hydra.run.dir={tmp_path / 'run'}"],
        cwd=tmp_path, env=torch_that(tmp_path, wait), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not importing.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code
    assert error == ""
    status = RunStatus.read(tmp_path / "run")
    assert status is not None
    assert (status.state, status.reason) == ("interrupted", f"{cause} before the first step")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--nosuch"], "unrecognized arguments: --nosuch"),
        (["--cfg", "nosuch"], "argument --cfg/-c: invalid choice: 'nosuch' (choose from"),
        (["--package", "model"], "--package must stand beside --cfg"),
        (["--cfg", "job", "--package", "nosuch"], "package 'nosuch' not found in config"),
        (["seed=1", "-m", "init=random"], "settings must stand side by side"),
        ([""], "'' must be KEY=VALUE"),
        (["init=${oc.env:NO_SUCH}"], "${oc.env:NO_SUCH} must be known when the config is composed"),
        (["init=/etc/passwd"], "init must be one of critical, glorot"),
        (
            ["--config-name", "model/mlp"],
            "hydra.callbacks must have start, which checks the config",
        ),
        (["hydra.callbacks.start=null"], "hydra.callbacks must have start"),
    ],
)
def test_what_hydra_is_told_wrongly_is_one_sentence(monkeypatch, capsys, arguments, told):
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    task = hydra.main(
        version_base="1.3", config_path=str(TRAIN.parent / "conf"), config_name="train"
    )
    assert start(task(lambda cfg: None), TRAIN.parent / "conf", "python train.py") == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
