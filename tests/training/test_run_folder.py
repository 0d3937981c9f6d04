"""Where a single run writes to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from layerscope.lab.typed_overrides import typed_overrides
from layerscope.training.run_folder import (
    check_folder,
    checkpoint_to_resume,
    run_folder,
    typed_name,
)

CONF = Path(__file__).parents[2] / "conf"
DATE = r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def config(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", list(overrides), return_hydra_config=True)


def test_it_carries_what_was_typed_behind_the_date():
    folder = run_folder(config("init=xavier", "model.widths=[20,10]"))
    assert folder.parent == Path("logs/default")
    assert folder.name.endswith("_init=xavier,model.widths=20-10")
    assert folder.is_dir()


def test_the_experiment_is_in_the_path_once():
    assert run_folder(config("experiment=vanishing")).parent == Path("logs/vanishing")
    assert typed_name(["experiment=vanishing"]) == ""


@pytest.mark.parametrize("value", ["a/../../b", "x" * 5000, "'a b'", "ü" * 200])
def test_any_value_makes_one_short_name(value):
    name = typed_name([f"data.path={value}"])
    assert len(name.encode()) <= 130
    assert Path(name).name == name


def test_runs_that_start_in_the_same_second_have_a_folder_each():
    same = config("init=xavier")
    first, second, third = run_folder(same), run_folder(same), run_folder(same)
    assert second.name == f"{first.name}_2"
    assert third.name == f"{first.name}_3"


def test_what_comes_out_of_the_environment_is_in_no_folders_name(monkeypatch):
    monkeypatch.setenv("TOKEN", "secret")
    asked = config("data.path=${oc.env:TOKEN}", "data=text_file")
    assert typed_overrides(asked.hydra) == ["data.path=${oc.env:TOKEN}", "data=text_file"]
    assert "secret" not in run_folder(asked).name


def test_a_folder_that_refers_to_something_is_typed_too(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS", str(tmp_path))
    asked = config("folder=${oc.env:RUNS}/mine")
    assert run_folder(asked) == tmp_path / "mine"
    (tmp_path / "mine" / "a.tfevents.b").touch()
    with pytest.raises(ValueError, match=r"^folder must be a folder without a run, got "):
        run_folder(asked)


@pytest.mark.parametrize("key", ["folder", "hydra.run.dir"])
def test_a_folder_that_was_typed_is_taken_as_it_is(tmp_path, key):
    asked = config(f"{key}={tmp_path / 'mine'}", "init=xavier")
    assert run_folder(asked) == run_folder(asked) == tmp_path / "mine"


@pytest.mark.parametrize("file", ["events.out.tfevents.1.a.1.0", "checkpoints/step=3.ckpt"])
def test_a_folder_that_was_typed_and_holds_a_run_is_refused(tmp_path, file):
    path = tmp_path / "mine" / file
    path.parent.mkdir(parents=True)
    path.touch()
    with pytest.raises(ValueError, match=r"folder must be a folder without a run, got .*mine"):
        run_folder(config(f"folder={tmp_path / 'mine'}"))


def test_a_run_is_resumed_in_its_own_folder_from_its_last_checkpoint_or_else_the_newest(tmp_path):
    mine = tmp_path / "mine"
    with pytest.raises(ValueError, match=r"resume must find a checkpoint of the run, got .*mine"):
        run_folder(config(f"folder={mine}", "resume=true"))
    (mine / "checkpoints").mkdir(parents=True)
    for age, name in ((2, "best-step=9.ckpt"), (1, "last.ckpt"), (3, "a.ckpt")):
        (mine / "checkpoints" / name).touch()
        os.utime(mine / "checkpoints" / name, (1000 - age, 1000 - age))
    asked = config(f"folder={mine}", "resume=true")
    assert run_folder(asked) == mine
    assert checkpoint_to_resume(asked, mine) == mine / "checkpoints/last.ckpt"
    os.utime(mine / "checkpoints/best-step=9.ckpt")  # newer: a validation in the middle of a step
    assert checkpoint_to_resume(asked, mine) == mine / "checkpoints/last.ckpt"
    (mine / "checkpoints/last.ckpt").unlink()
    assert checkpoint_to_resume(asked, mine) == mine / "checkpoints/best-step=9.ckpt"
    asked = config(f"folder={mine}", f"ckpt_path='{mine}/checkpoints/best-step=9.ckpt'")
    assert run_folder(asked) == mine


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["resume=true"], "resume must find a checkpoint of the run"),
        (["resume=true", "ckpt_path=a.ckpt"], "ckpt_path must be null beside resume=true, got a"),
    ],
)
def test_what_cannot_be_resumed_is_refused(overrides, sentence):
    with pytest.raises(ValueError, match=sentence):
        run_folder(config(*overrides))


def test_a_folder_may_be_in_the_home_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run_folder(config("folder='~/mine'")) == tmp_path / "home" / "mine"


def test_a_folder_that_another_process_holds_is_refused(tmp_path):
    hold = "from layerscope.run_lock import RunLock; from pathlib import Path; import sys\n"
    hold += "lock = RunLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    holds = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holds.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match=r"run\.dir must be a folder that is free: .* is"):
            run_folder(config(f"hydra.run.dir={tmp_path}"))
    finally:
        holds.communicate(timeout=30)


@pytest.mark.parametrize("value", ["null", "true", "1.5", "nan", "[a]", "{a:1}", "''"])
def test_a_folder_is_a_text(value):
    with pytest.raises(ValueError, match=r"^folder must be the path of a folder, got "):
        check_folder(config(f"folder={value}"))
    with pytest.raises(ValueError, match=r"^hydra\.run\.dir must be the path of a folder, got ''"):
        check_folder(config("hydra.run.dir="))


def test_a_folder_that_cannot_be_made_is_refused_before_it_is_tried(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        ValueError, match=r"hydra\.run\.dir must be a folder, got file/x: .*file is"
    ):
        check_folder(config("hydra.run.dir=file/x"))
    check_folder(config("hydra.run.dir=new/x"))
    assert not (tmp_path / "new").exists()
