"""Two processes of one `train.py`: the first keeps account of the run, the other trains along."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from layerscope import read
from layerscope.training.run_folder import holds_run, run_folder
from tests.training.test_resume import run
from tests.training.test_run_folder import config

ROOT = Path(__file__).parents[2]


def test_another_process_than_the_first_trains_and_writes_no_status(tmp_path, words, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert run(tmp_path, words, "trainer.max_epochs=1") == 0
    assert not (tmp_path / "status.json").exists()


@pytest.mark.parametrize("numbered", ["LOCAL_RANK", "SLURM_PROCID"])
def test_it_takes_the_folder_of_the_first_whoever_holds_it(tmp_path, monkeypatch, numbered):
    (tmp_path / "events.out.tfevents.1").touch()
    assert holds_run(tmp_path)
    monkeypatch.setenv(numbered, "1")
    assert run_folder(config(f"hydra.run.dir={tmp_path}")) == tmp_path
    assert not (tmp_path / ".lock").exists()


@pytest.mark.slow
@pytest.mark.rare
def test_two_devices_train_one_run(tmp_path, words):
    typed = (
        f"folder={tmp_path}/run data=text_file data.path={words} data.batch_size=10 names=0 "
        "accelerator=cpu trainer.devices=2 trainer.max_epochs=2 report=false model.width=16"
    )
    done = subprocess.run(
        [sys.executable, "train.py", *typed.split()],
        cwd=ROOT, check=False, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert status["state"] == "finished"
    assert len(read(tmp_path / "run").figures.steps) == status["steps"]
