"""Sweeps as a user runs them, with jobs, workers and parents that die."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from layerscope.show.event_reader import read_run
from layerscope.show.hparams import ENDED

ROOT = Path(__file__).parent.parent
SMALL = ("data=notebook", "monitor=none", "names=0", "trainer.enable_progress_bar=false")
ENDLESS = "trainer.max_epochs=1000000"  # of one step each


_PATIENCE = 150  # seconds; on two cores that nobody else uses the slowest takes 15
_started = []


def start(folder, *overrides):
    process = subprocess.Popen(
        [sys.executable, "train.py", *overrides, *SMALL, f"sweep.folder={folder}"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _started.append(process)
    return process


@pytest.fixture(autouse=True)
def nothing_runs_on():
    yield
    while _started:
        process = _started.pop()
        if process.poll() is None:  # a test that failed half-way
            process.kill()
            process.communicate()


def end(process):
    """Exit code, stdout, stderr."""
    out, err = process.communicate(timeout=_PATIENCE)
    return process.returncode, out, err


def statuses(folder):
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/status.json")}


def states(folder):
    return {name: status["state"] for name, status in statuses(folder).items()}


def trainer_of(job):
    """The process that trains in the folder `job`, as the name of its event file tells."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for path in job.glob("events.out.tfevents.*"):
            return int(path.name.split(".")[-2])
        time.sleep(0.02)
    raise AssertionError(f"no training has begun in {job}")


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def is_gone(pid):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.05)
    return False


def weights(job):
    (checkpoint,) = (job / "checkpoints").glob("*.ckpt")
    return torch.load(checkpoint, weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def basic(tmp_path_factory):
    """One job that is killed, one bad value, one that diverges, two that finish."""
    folder = tmp_path_factory.mktemp("basic") / "sweep"
    overrides = ("-m", "optimizer.lr=4e-3,-1,1e30,5e-3,6e-3", "trainer.max_epochs=300")
    process = start(folder, *overrides)
    os.kill(trainer_of(folder / "optimizer.lr=0.004"), signal.SIGKILL)
    return folder, overrides, end(process)


def test_a_job_that_fails_takes_no_other_one_with_it(basic):
    folder, _, (code, out, _) = basic
    assert code == 1
    assert states(folder) == {
        "optimizer.lr=0.004": "failed",
        "optimizer.lr=-1": "failed",
        "optimizer.lr=1e+30": "failed",
        "optimizer.lr=0.005": "finished",
        "optimizer.lr=0.006": "finished",
    }
    reasons = {name: status["reason"] for name, status in statuses(folder).items()}
    assert "SIGKILL" in reasons["optimizer.lr=0.004"]
    assert reasons["optimizer.lr=-1"] == "optimizer: Invalid learning rate: -1"
    assert reasons["optimizer.lr=1e+30"].startswith("diverged: train/loss is nan.")
    assert "Jobs of the sweep: 2 finished, 3 failed" in out
    for name, reason in reasons.items():
        assert reason is None or f"{name}: {reason}" in out


def test_a_status_has_what_repeats_the_run(basic):
    folder, _, _ = basic
    status = statuses(folder)["optimizer.lr=0.005"]
    assert "optimizer.lr=0.005" in status["overrides"]
    assert status["versions"]["torch"] == torch.__version__


def test_tensorboard_is_told_how_each_job_ended_the_killed_one_too(basic):
    folder, _, _ = basic
    told = {name: read_run(folder / name).scalars[ENDED].values for name in states(folder)}
    assert {name: values.tolist() for name, values in told.items()} == {
        name: [1.0 if state == "finished" else -1.0] for name, state in states(folder).items()
    }


def test_resume_repeats_what_did_not_finish_and_nothing_else(basic):
    folder, overrides, _ = basic
    kept = folder / "optimizer.lr=0.005"
    before = [(path, path.stat().st_mtime_ns) for path in sorted(kept.rglob("*"))]
    code, out, _ = end(start(folder, *overrides, "sweep.resume=true"))
    assert code == 1
    assert [(path, path.stat().st_mtime_ns) for path in sorted(kept.rglob("*"))] == before
    assert states(folder)["optimizer.lr=0.004"] == "finished"
    # The training's and, of how it ended, the sweep's: nothing of the first attempt.
    assert len(list((folder / "optimizer.lr=0.004").glob("events.*"))) == 2
    assert "3 finished (2 before), 2 failed" in out


def test_joblib_gives_the_same_weights_and_survives_its_worker(basic, tmp_path):
    folder, overrides, _ = basic
    process = start(
        tmp_path, "-m", "optimizer.lr=4e-3,5e-3,6e-3", *overrides[2:], "hydra/launcher=joblib"
    )
    worker = parent_of(trainer_of(tmp_path / "optimizer.lr=0.004"))
    assert worker != process.pid
    os.kill(worker, signal.SIGKILL)
    code, out, _ = end(process)
    assert code == 0
    assert "3 finished" in out
    for name in ("optimizer.lr=0.005", "optimizer.lr=0.006"):
        one, other = weights(folder / name), weights(tmp_path / name)
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("launcher", "number", "code", "name"),
    [("basic", signal.SIGTERM, 143, "SIGTERM"), ("joblib", signal.SIGINT, 130, "Ctrl-C")],
)
def test_a_signal_ends_the_running_job_cleanly_and_the_sweep(
    tmp_path, launcher, number, code, name
):
    jobs = [f"seed={seed}" for seed in range(4)]
    process = start(tmp_path, "-m", "seed=0,1,2,3", ENDLESS, f"hydra/launcher={launcher}")
    pid = trainer_of(tmp_path / "seed=0")
    time.sleep(0.5)
    process.send_signal(number)
    ended, out, err = end(process)
    assert ended == code
    assert is_gone(pid)
    assert statuses(tmp_path)["seed=0"]["state"] == "interrupted"
    assert statuses(tmp_path)["seed=0"]["reason"].startswith(f"{name} at step ")
    assert (tmp_path / "seed=0/checkpoints").is_dir()
    assert "seed=3" not in states(tmp_path)
    assert "stopping" in err
    assert all(job in out for job in jobs)


def test_nothing_of_a_sweep_outlives_its_parent_and_resume_goes_on(tmp_path):
    process = start(tmp_path, "-m", "seed=0,1", ENDLESS)
    pid = trainer_of(tmp_path / "seed=0")
    process.kill()
    process.communicate()
    assert is_gone(pid)
    assert states(tmp_path) == {"seed=0": "running"}
    code, out, _ = end(
        start(tmp_path, "-m", "seed=0,1", "trainer.max_epochs=2", "sweep.resume=true")
    )
    assert code == 0
    assert "2 finished" in out
    assert states(tmp_path) == {"seed=0": "finished", "seed=1": "finished"}


def test_ray_repeats_the_job_of_a_dead_worker_and_shows_a_bad_value(tmp_path):
    pytest.importorskip("ray")
    overrides = ("-m", "optimizer.lr=4e-3,-1", "trainer.max_epochs=300", "hydra/launcher=ray")
    process = start(tmp_path, *overrides)
    os.kill(trainer_of(tmp_path / "optimizer.lr=0.004"), signal.SIGKILL)
    code, out, _ = end(process)
    assert code == 1
    assert states(tmp_path) == {"optimizer.lr=0.004": "finished", "optimizer.lr=-1": "failed"}
    assert "1 finished, 1 failed" in out


def test_submitit_waits_for_every_job_though_one_is_lost(tmp_path):
    pytest.importorskip("submitit")
    overrides = ("-m", "seed=0,1,-1", "trainer.max_epochs=300", "hydra/launcher=submitit_local")
    process = start(tmp_path, *overrides)
    os.kill(parent_of(trainer_of(tmp_path / "seed=0")), signal.SIGKILL)
    code, out, _ = end(process)
    assert code == 1
    assert states(tmp_path) == {"seed=0": "failed", "seed=1": "finished", "seed=-1": "failed"}
    assert "its worker was killed" in out


def test_a_search_learns_from_jobs_that_fail_too(tmp_path):
    pytest.importorskip("optuna")
    code, out, _ = end(
        start(
            tmp_path, "+search=optuna", "hydra.sweeper.n_trials=4", "trainer.max_epochs=2",
            "init.gain=choice(1.0,-1.0)", "optimizer.lr=4e-3",
        )
    )  # fmt: skip
    assert code == 1
    assert states(tmp_path) == {"init.gain=1.0": "finished", "init.gain=-1.0": "failed"}
    assert "best: init.gain=1.0, val/loss" in out
