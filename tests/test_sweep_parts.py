"""What a sweep is made of, without the trainings."""

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from layerscope.lab.status import RunStatus
from layerscope.lab.sweep import extras, fingerprint, own_process, waiting
from layerscope.lab.sweep.extras import require_plugin
from layerscope.lab.sweep.launching import SurvivingLauncher
from layerscope.lab.sweep.objective import OBJECTIVES
from layerscope.lab.sweep.outcome import Job
from layerscope.lab.sweep.run_name import run_name
from layerscope.lab.sweep.stop import Stop
from layerscope.lab.sweep.whole import end_of_sweep, refuse_to_mix

CONF = Path(__file__).parent.parent / "conf"


def composed(*overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", ["folder=x", *overrides])


@pytest.mark.parametrize(
    "value", ["a/b", "/", "..", "a:b*?", "x" * 300, "'a, b'", "ü" * 200, "{a:1}", "a\nb"]
)
def test_any_value_makes_one_short_folder(tmp_path, value):
    name = run_name({"data.path": value})
    assert len(name.encode()) <= 130
    (tmp_path / name).mkdir()
    assert (tmp_path / name).parent == tmp_path
    assert (tmp_path / name).resolve().parent == tmp_path.resolve()


def test_values_that_look_alike_once_cleaned_have_names_of_their_own():
    values = ["a/b", "a:b", "x" * 300, "x" * 301, "0.123456789", "0.1234567890"]
    assert len({run_name({"key": value}) for value in values}) == len(values)


def test_the_fingerprint_follows_the_settings_and_not_the_folder():
    one = fingerprint(composed())
    assert one == fingerprint(composed("folder=y", "sweep.resume=true", "sweep.folder=z"))
    assert one != fingerprint(composed("seed=1"))
    assert one != fingerprint(composed("init=xavier"))


@pytest.mark.parametrize("extra", ["joblib", "ray", "slurm", "search"])
def test_a_plugin_that_is_not_installed_is_named_with_its_extra(monkeypatch, extra):
    package = next(package for package, name in extras._EXTRAS.items() if name == extra)
    require_plugin(f"hydra_plugins.{package}.launcher.Launcher")  # installed here
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=rf"pip install 'layerscope\[{extra}\]'"):
        require_plugin(f"hydra_plugins.{package}.launcher.Launcher")


def sweep_config(folder, resume):
    return OmegaConf.create(
        {
            "sweep": {"folder": str(folder), "resume": resume},
            "hydra": {"sweep": {"dir": "${sweep.folder}"}, "launcher": {"_target_": "fake"}},
        }
    )


def test_a_folder_that_holds_runs_is_refused_unless_the_sweep_goes_on(tmp_path):
    refuse_to_mix(sweep_config(tmp_path, False))
    (tmp_path / "seed=0").mkdir()
    RunStatus("finished").write(tmp_path / "seed=0")
    with pytest.raises(ValueError, match="must hold no runs"):
        refuse_to_mix(sweep_config(tmp_path, False))
    refuse_to_mix(sweep_config(tmp_path, True))


def test_resuming_a_folder_with_a_new_date_is_refused():
    with pytest.raises(ValueError, match="needs the folder of an earlier sweep"):
        refuse_to_mix(sweep_config("logs/${now:%Y}", True))
    with pytest.raises(ValueError, match="must be true or false, got 'yes'"):
        refuse_to_mix(sweep_config("logs/a", "yes"))


class Pool:
    """A launcher of two workers that breaks when a job named in `fatal` runs, as joblib's does."""

    def __init__(self, folder, fatal, broken=False):
        self.folder, self.fatal, self.broken, self.calls = folder, fatal, broken, []

    def launch(self, job_overrides, initial_job_idx):
        names = [overrides[0] for overrides in job_overrides]
        self.calls.append(names)
        if self.broken:
            raise OSError("no route to the cluster")
        for start in range(0, len(names), 2):
            pair = names[start : start + 2]
            for name in pair:
                (self.folder / name).mkdir(exist_ok=True)
                RunStatus("running").write(self.folder / name)
            if self.fatal & set(pair):
                raise RuntimeError("a worker was terminated")
            for name in pair:
                print_of = fingerprint(settings(None, [name]))
                RunStatus("finished", fingerprint=print_of).write(self.folder / name)


def settings(config, overrides):
    return OmegaConf.create({"folder": "", "job": overrides[0]})


def surviving(tmp_path, pool):
    context = SimpleNamespace(config_loader=SimpleNamespace(load_sweep_config=settings))
    return SurvivingLauncher(pool, context, sweep_config(tmp_path, False), {"seed"})


def test_of_the_jobs_of_a_broken_pool_only_the_guilty_one_fails(tmp_path):
    pool = Pool(tmp_path, {"seed=3"})
    launcher = surviving(tmp_path, pool)
    launcher.launch([[f"seed={seed}"] for seed in range(7)], 0)
    states = {job.name: job.status.state for job in launcher.jobs}
    assert states == {f"seed={seed}": "finished" for seed in range(7)} | {"seed=3": "failed"}
    assert pool.calls[1:] == [["seed=2"], ["seed=3"], ["seed=4", "seed=5", "seed=6"]]


def test_a_launcher_that_cannot_start_is_not_asked_again(tmp_path):
    pool = Pool(tmp_path, set(), broken=True)
    launcher = surviving(tmp_path, pool)
    launcher.launch([["seed=0"], ["seed=1"]], 0)
    assert len(pool.calls) == 1
    assert [job.problem for job in launcher.jobs] == ["OSError: no route to the cluster"] * 2
    assert end_of_sweep(tmp_path, launcher.jobs, {}) == 1


def test_a_job_that_is_asked_for_twice_runs_once(tmp_path):
    pool = Pool(tmp_path, set())
    launcher = surviving(tmp_path, pool)
    launcher.launch([["seed=0"], ["seed=0"]], 0)
    launcher.launch([["seed=0"]], 2)
    assert pool.calls == [["seed=0"]]
    assert all(job.finished for job in launcher.jobs)


def job(folder, number, state, **status):
    path = folder / f"seed={number}"
    path.mkdir()
    RunStatus(state, fingerprint="f", **status).write(path)
    return Job(number, path, (f"seed={number}",), "f")


def test_the_end_prints_a_table_and_calls_what_compares(tmp_path, capsys):
    jobs = [
        job(tmp_path, 0, "finished", val_loss=2.125, seconds=3.25),
        job(tmp_path, 1, "failed", reason="RuntimeError: [no] room"),
    ]
    seen = []
    at_end = {
        "broken": lambda folder, jobs: 1 / 0,
        "comparison": lambda folder, jobs: seen.append((folder, list(jobs))),
    }
    assert end_of_sweep(tmp_path, jobs, at_end) == 1
    assert seen == [(tmp_path, jobs)]
    printed = capsys.readouterr()
    assert "1 finished, 1 failed" in printed.out
    assert "2.1250" in printed.out
    assert "seed=1: RuntimeError: [no] room" in printed.out
    assert "ZeroDivisionError" in printed.err


@pytest.mark.parametrize(("cause", "code"), [(None, 0), ("Ctrl-C", 130), ("SIGTERM", 143)])
def test_the_exit_code_says_what_ended_the_sweep(tmp_path, cause, code):
    jobs = [job(tmp_path, 0, "finished")]
    if cause:
        Stop(tmp_path).request(cause)
    assert end_of_sweep(tmp_path, jobs, {}) == code


def diagnosis(folder, *rms):
    layers = [{"activation_grad": {"rms": value}} for value in (9.0, *rms, 9.0)]
    (folder / "diagnosis.json").write_text(json.dumps({"steps": [{"layers": layers}]}))


def test_criticality_is_the_mean_change_of_the_gradient_per_layer(tmp_path):
    status = RunStatus("finished")
    diagnosis(tmp_path, 1.0, 10.0, 1.0, 1.0)
    assert OBJECTIVES["criticality"](tmp_path, status) == pytest.approx(2 / 3)
    diagnosis(tmp_path, 1.0, 0.0)
    assert OBJECTIVES["criticality"](tmp_path, status) == float("inf")
    diagnosis(tmp_path, 1.0)
    with pytest.raises(ValueError, match="at least two hidden layers with gradients, got 1"):
        OBJECTIVES["criticality"](tmp_path, status)


def test_a_process_of_its_own_returns_its_code_or_the_signal_that_ended_it(capfd):
    if not own_process.POSSIBLE:
        pytest.skip("jobs share their parent's process on this system")
    before = signal.getsignal(signal.SIGINT)
    try:
        assert own_process.in_own_process(lambda: 7) == 7
        kill = lambda: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
        assert own_process.in_own_process(kill) == -signal.SIGKILL
        assert own_process.in_own_process(lambda: 1 // 0) == 1
        assert "ZeroDivisionError" in capfd.readouterr().err
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_lost_job_is_returned_and_any_other_error_raised():
    def lose(error):
        raise error

    call = waiting._returning(lose, (KeyError,))
    assert isinstance(call(KeyError("lost")), KeyError)
    with pytest.raises(OSError, match="else"):
        call(OSError("else"))
