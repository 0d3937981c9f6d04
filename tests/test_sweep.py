"""Sweeps as a user runs them, with jobs that fail, and workers and parents that die."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from layerscope.events.hparams import ENDED
from layerscope.events.reader import read_run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
SMALL = ("data=notebook", "monitor=none", "names=0")
ENDLESS = "trainer.max_epochs=1000000"  # of one step each


_PATIENCE = 150  # seconds; on two cores that nobody else uses the slowest takes 20
_started = []


def start(folder, *overrides):
    process = subprocess.Popen(
        [sys.executable, "train.py", *overrides, *SMALL, f"sweep.folder={folder}"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    _started.append(process)
    return process


@pytest.fixture(autouse=True)
def nothing_runs_on():
    yield
    while _started:
        process = _started.pop()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # workers of a pool outlive it else
        process.communicate(timeout=_PATIENCE)


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
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.05)
    return False


def weights(job):
    return torch.load(job / "checkpoints/last.ckpt", weights_only=True)["state_dict"]


@pytest.fixture(scope="module")
def basic(tmp_path_factory):
    """A job with a bad value, one that diverges, two that finish."""
    folder = tmp_path_factory.mktemp("basic") / "sweep"
    overrides = ("-m", "optimizer.lr=-1,1e30,5e-3,6e-3", "trainer.max_epochs=100")
    return folder, overrides, end(start(folder, *overrides))


def test_a_job_that_fails_takes_no_other_one_with_it(basic):
    folder, _, (code, out, _) = basic
    assert code == 1
    assert states(folder) == {
        "optimizer.lr=-1": "failed",
        "optimizer.lr=1e+30": "failed",
        "optimizer.lr=0.005": "finished",
        "optimizer.lr=0.006": "finished",
    }
    reasons = {name: status["reason"] for name, status in statuses(folder).items()}
    assert reasons["optimizer.lr=-1"] == (
        "optimizer.lr must be a finite number of at least 0, got -1"
    )
    assert reasons["optimizer.lr=1e+30"].startswith("diverged: train/loss is nan.")
    for name, reason in reasons.items():
        assert reason is None or f"{name}: failed: {reason}" in out
    assert "Jobs of the sweep: 2 finished, 2 failed" in out


def test_a_sweep_prints_a_line_per_job_and_the_ranked_table_and_the_answer(basic):
    _, _, (_, out, _) = basic
    before, after = out.split("Jobs of the sweep:")
    head, *lines = before.splitlines()
    assert head == "4 jobs; each prints a line when it ends"
    assert [line.split()[0] for line in lines[:4]] == [
        "optimizer.lr=-1", "optimizer.lr=1e+30", "optimizer.lr=0.005", "optimizer.lr=0.006",
    ]  # fmt: skip
    assert [line.split("[")[1] for line in lines[:4]] == [f"{n} of 4]" for n in (1, 2, 3, 4)]
    assert "Best first" in after
    assert "ends with the lowest val/loss" in after
    assert "report.html" in after


def test_a_status_has_what_repeats_the_run(basic):
    folder, _, _ = basic
    status = statuses(folder)["optimizer.lr=0.005"]
    assert "optimizer.lr=0.005" in status["overrides"]
    assert status["versions"]["torch"] == torch.__version__


def test_tensorboard_is_told_how_each_job_ended(basic):
    folder, _, _ = basic
    told = {name: read_run(folder / name).scalars[ENDED].values for name in states(folder)}
    assert {name: values.tolist() for name, values in told.items()} == {
        name: [1.0 if state == "finished" else -1.0] for name, state in states(folder).items()
    }


def files(job):
    return [(path, path.stat().st_mtime_ns) for path in sorted(job.glob("*"))]


@pytest.mark.rare
def test_joblib_gives_the_same_weights_and_resume_runs_what_a_dead_worker_has_lost(basic, tmp_path):
    folder, (_, _, length), _ = basic
    lost = tmp_path / "optimizer.lr=0.007"
    overrides = (
        "-m", "optimizer.lr=5e-3,6e-3,7e-3", length, "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
    )  # fmt: skip
    process = start(tmp_path, *overrides)
    worker = trainer_of(lost)  # one of the two workers has finished its first job
    assert worker != process.pid
    os.kill(worker, signal.SIGKILL)
    code, out, _ = end(process)
    assert code == 1
    assert "optimizer.lr=0.007: died" in out
    kept = [name for name, state in states(tmp_path).items() if state == "finished"]
    assert kept
    before = [files(tmp_path / name) for name in kept]

    code, out, _ = end(start(tmp_path, *overrides[:3], "sweep.resume=true"))  # in one process
    assert code == 0
    assert "Jobs of the sweep: 3 finished" in out
    assert [files(tmp_path / name) for name in kept] == before
    # The training's and, of how it ended, another: nothing of the first attempt.
    assert len(list(lost.glob("events.*"))) == 2
    for name in ("optimizer.lr=0.005", "optimizer.lr=0.006"):
        one, other = weights(folder / name), weights(tmp_path / name)
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    ("launcher", "number", "code"),
    [
        ("basic", signal.SIGTERM, 143),
        pytest.param("joblib", signal.SIGINT, 130, marks=pytest.mark.rare),
    ],
)
def test_a_signal_ends_the_running_jobs_and_the_sweep(tmp_path, launcher, number, code):
    process = start(tmp_path, "-m", "seed=0,1,2,3", ENDLESS, f"hydra/launcher={launcher}")
    pid = trainer_of(tmp_path / "seed=0")
    time.sleep(0.5)
    process.send_signal(number)
    ended, out, _ = end(process)
    assert ended == code
    assert is_gone(pid)
    assert "seed=3" not in states(tmp_path)
    assert "seed=0: interrupted" in out
    if launcher == "basic":
        assert statuses(tmp_path)["seed=0"]["reason"].startswith("SIGTERM at step ")


@pytest.mark.rare  # tests/lab/sweep/test_orphan.py shows it of a worker
def test_the_workers_of_a_sweep_that_was_killed_end_with_it(tmp_path):
    process = start(
        tmp_path, "-m", "seed=0,1", ENDLESS, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"
    )
    workers = [trainer_of(tmp_path / f"seed={seed}") for seed in (0, 1)]
    process.kill()
    deadline = time.monotonic() + _PATIENCE
    while "running" in states(tmp_path).values() and time.monotonic() < deadline:
        time.sleep(0.1)
    for status in statuses(tmp_path).values():
        assert status["state"] == "interrupted"
        assert status["reason"].startswith("SIGTERM at step ")
    assert all(map(is_gone, workers))


def test_a_sweep_goes_on_after_its_process_was_killed(tmp_path):
    process = start(tmp_path, "-m", "seed=0,1", ENDLESS)
    trainer_of(tmp_path / "seed=0")
    process.kill()
    process.communicate(timeout=_PATIENCE)
    assert states(tmp_path) == {"seed=0": "running"}
    code, out, _ = end(
        start(tmp_path, "-m", "seed=0,1", "trainer.max_epochs=2", "sweep.resume=true")
    )
    assert code == 0
    assert "2 finished" in out
    assert states(tmp_path) == {"seed=0": "finished", "seed=1": "finished"}


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (("init=kaiming,nothing",), "nothing"),
        (("seed=0,1", "sweep.resume=true"), "sweep.resume needs the folder of an earlier sweep"),
        (("seed=0,0",), "the jobs of a sweep must differ, got seed=0 twice"),
        (("seed=0,1", "sweep.objective=speed"), "sweep.objective must be one of val/loss"),
    ],
)
def test_a_sweep_that_cannot_begin_is_refused_before_any_job(tmp_path, overrides, sentence):
    folder = tmp_path / "sweep"
    code, out, err = end(start(folder, "-m", *overrides))
    assert code == 2
    assert sentence in err
    assert "Traceback" not in err
    assert out in ("", "2 jobs; each prints a line when it ends\n")  # composing is what fails
    assert states(folder) == {}


@pytest.mark.rare
@pytest.mark.parametrize(
    ("library", "launcher", "key", "well", "ill"),
    [
        ("ray", "ray", "optimizer.lr", "0.004", "-1"),
        ("submitit", "submitit_local", "seed", "0", "-1"),
    ],
)
def test_a_launcher_runs_every_job_though_one_fails(tmp_path, library, launcher, key, well, ill):
    pytest.importorskip(library)
    overrides = ("-m", f"{key}={well},{ill}", "trainer.max_epochs=2", f"hydra/launcher={launcher}")
    code, out, _ = end(start(tmp_path, *overrides))
    assert code == 1
    assert states(tmp_path) == {f"{key}={well}": "finished", f"{key}={ill}": "failed"}
    assert "1 finished, 1 failed" in out


@pytest.mark.rare
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
