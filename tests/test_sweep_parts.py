"""What a sweep is made of, without the trainings."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn
from omegaconf import OmegaConf, open_dict, read_write

from layerscope.lab.status import REFUSED, RunStatus
from layerscope.lab.sweep import fingerprint, run_as_job
from layerscope.lab.sweep.end import end, run_to_its_end
from layerscope.lab.sweep.job import run_name
from layerscope.lab.sweep.sweep import Sweep, hold_folder, refuse_to_mix
from layerscope.lab.sweep.sweep_settings import OBJECTIVES
from layerscope.run_lock import NAME as LOCK

CONF = Path(__file__).parent.parent / "conf"


def composed(*overrides, **options):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", ["folder=x", *overrides], **options)


@pytest.mark.parametrize(
    "value", ["a/b", "/", "..", "a:b*?", "x" * 300, "'a, b'", "ü" * 200, "{a:1}", "a\nb"]
)
def test_any_value_makes_one_short_folder(tmp_path, value):
    name = run_name(f"data.path={value}")
    assert len(name.encode()) <= 130
    (tmp_path / name).mkdir()
    assert (tmp_path / name).parent == tmp_path
    assert (tmp_path / name).resolve().parent == tmp_path.resolve()


def test_values_that_look_alike_once_cleaned_have_names_of_their_own():
    values = ["a/b", "a:b", "x" * 300, "x" * 301, "0.123456789", "0.1234567890"]
    assert len({run_name(f"key={value}") for value in values}) == len(values)


def test_the_fingerprint_follows_the_settings_and_not_the_folder():
    one = fingerprint(composed())
    assert one == fingerprint(composed("folder=y", "sweep.resume=true", "sweep.folder=z"))
    assert one != fingerprint(composed("seed=1"))
    assert one != fingerprint(composed("init=xavier"))


def test_slurm_takes_the_plugins_own_settings_and_ours():
    pytest.importorskip("submitit")
    cfg = composed("hydra/launcher=submitit", "threads=4", return_hydra_config=True)
    launcher = cfg.hydra.launcher
    assert launcher._target_.endswith("SlurmLauncher")
    assert (launcher.mem_gb, launcher.cpus_per_task, launcher.array_parallelism) == (4, 4, 256)


def sweep_config(folder, resume):
    return OmegaConf.create({"sweep": {"resume": resume}, "hydra": {"sweep": {"dir": str(folder)}}})


def test_a_folder_that_holds_runs_is_refused_unless_the_sweep_goes_on(tmp_path):
    refuse_to_mix(sweep_config(tmp_path, False))
    (tmp_path / "seed=0").mkdir()
    RunStatus("finished").write(tmp_path / "seed=0")
    with pytest.raises(ValueError, match="must hold no runs"):
        refuse_to_mix(sweep_config(tmp_path, False))
    refuse_to_mix(sweep_config(tmp_path, True))


def test_resuming_a_sweep_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="needs the folder of an earlier sweep"):
        refuse_to_mix(sweep_config(tmp_path / "new", True))


def test_a_folder_in_the_home_is_looked_at_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine" / "seed=0").mkdir(parents=True)
    refuse_to_mix(sweep_config("~/mine", True))
    RunStatus("finished").write(tmp_path / "mine" / "seed=0")
    with pytest.raises(ValueError, match="must hold no runs"):
        refuse_to_mix(sweep_config("~/mine", False))


@pytest.fixture
def sweep(tmp_path):
    """Of three jobs, of which none has begun."""
    made = Sweep()
    made.folder, made.names, made.total = tmp_path, ["seed=0", "seed=1", "seed=2"], 3
    return made


def write(sweep, *states, **status):
    for name, state in zip(sweep.names, states, strict=False):
        (sweep.folder / name).mkdir()
        RunStatus(state, **status).write(sweep.folder / name)


@pytest.mark.parametrize(
    ("states", "ended", "code", "told"),
    [
        (["finished"] * 3, 0, 0, "3 finished"),
        (["finished", "failed", "finished"], 0, 1, "1 failed"),
        (["finished", "running", "finished"], 1, 1, "1 died"),
        (["finished", "finished"], 1, 1, "1 not started"),
        (["finished"] * 3, 1, 1, "3 finished"),
        (["finished", "running"], 130, 130, "1 interrupted"),
        (["finished", "interrupted"], 143, 143, "1 interrupted"),
    ],
)
def test_the_end_tells_what_has_become_of_the_jobs(sweep, capsys, states, ended, code, told):
    write(sweep, *states)
    compared = []
    assert end(sweep, ended, lambda *told: compared.append(told)) == code
    assert compared == [(sweep.folder, True)]
    out = capsys.readouterr().out
    assert told in out
    assert ("sweep.resume=true" in out) == (states != ["finished"] * 3)


def test_a_sweep_that_could_not_begin_ends_with_2(sweep):
    assert end(sweep, 1, lambda folder, page: pytest.fail("there is nothing to compare")) == 2


@pytest.mark.parametrize(("ended", "code"), [(0, 0), (1, 1)])
def test_a_search_that_proposed_a_job_twice_has_run_whole(sweep, capsys, ended, code):
    write(sweep, "finished", "finished")
    sweep.names = []
    assert end(sweep, ended, lambda folder, page: None) == code
    assert ("1 not started" in capsys.readouterr().out) == (ended == 1)


def test_a_refused_finding_of_a_job_makes_the_exit_code_4(sweep):
    write(sweep, *["finished"] * 3, reason=f"{REFUSED}saturated")
    assert end(sweep, 0, lambda folder, page: None) == 4


def test_a_sweep_without_report_wants_no_page(sweep):
    write(sweep, *["finished"] * 3)
    sweep.report, wanted = False, []
    end(sweep, 0, lambda folder, page: wanted.append(page))
    assert wanted == [False]


def test_a_comparison_that_fails_is_told_and_makes_the_exit_code_1(sweep, capsys):
    write(sweep, *["finished"] * 3)
    assert end(sweep, 0, lambda folder, page: 1 / 0) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err


def leave(code):
    raise code


@pytest.mark.parametrize(
    ("raised", "code"),
    [(SystemExit(3), 3), (SystemExit(), 0), (SystemExit("no"), 1), (KeyboardInterrupt(), 130)],
)
def test_what_was_no_sweep_ends_with_its_own_exit_code(raised, code):
    assert run_to_its_end(lambda: leave(raised), lambda folder, page: None) == code


def test_a_launcher_that_starts_no_job_is_one_sentence(sweep, monkeypatch, capsys):
    monkeypatch.setattr(Sweep, "begun", sweep)
    (sweep.folder / "multirun.yaml").touch()  # Hydra has written it by now
    no_slurm = RuntimeError('Could not detect "srun"')
    assert run_to_its_end(lambda: leave(no_slurm), lambda folder, page: None) == 2
    told = 'error: no job could be started: RuntimeError: Could not detect "srun"\n'
    assert capsys.readouterr().err == told
    assert not (sweep.folder / "multirun.yaml").exists()
    write(sweep, "finished")  # one has run: whoever is to mend it needs all
    assert run_to_its_end(lambda: leave(no_slurm), lambda folder, page: None) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_jobs_line_has_its_loss_its_seconds_its_verdict_and_the_progress(sweep, capsys):
    write(sweep, "finished", "running", val_loss=2.125, seconds=3.25)
    finding = {"severity": "critical", "rule": "saturated", "layer": "01_tanh", "step": 0}
    cause = finding | {"severity": "warning", "rule": "input_scale", "layer": "inputs"}
    path = sweep.folder / "seed=0/diagnosis.json"
    for findings, verdict in (
        ([], "healthy"),
        ([finding], "critical: saturated in 01_tanh from step 0"),
        ([cause, finding], "warning: input_scale in inputs from step 0"),
        ([cause | {"severity": "note"}, finding], "critical: saturated in 01_tanh from step 0"),
    ):
        path.write_text(json.dumps({"findings": findings}))
        runtime = SimpleNamespace(output_dir=str(path.parent))
        sweep.on_job_end(SimpleNamespace(hydra=SimpleNamespace(runtime=runtime)), JobReturn())
        line = capsys.readouterr().out
        assert line == f"seed=0   2.1250     3.2 s  {verdict}  [1 of 3, 1 running]\n"


def test_a_job_that_has_finished_with_the_same_settings_is_not_run_again(tmp_path, monkeypatch):
    cfg = composed(f"folder={tmp_path}", return_hydra_config=True)
    monkeypatch.setattr(HydraConfig.instance(), "cfg", cfg)
    (tmp_path / "old").touch()
    calls = []

    def training(cfg):
        calls.append(os.listdir(cfg.folder))
        status = RunStatus("finished", val_loss=2.0, fingerprint=fingerprint(cfg))
        status.write(Path(cfg.folder))
        return 0

    assert run_as_job(cfg, lambda cfg: 1) is None  # it has failed
    assert run_as_job(cfg, training) == 2.0
    assert run_as_job(cfg, training) == 2.0
    assert calls == [[LOCK]]
    cfg.seed = 1
    run_as_job(cfg, training)
    assert calls == [[LOCK], [LOCK]]


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


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("seed=range(0)", "seed must name values to try, got seed=range(0)"),
        ("seed=interval(0,1)", "seed must name values to try, got seed=interval(0,1)"),
        ("seed=range(1000000000000)", "a sweep must have at most 10,000 jobs, got 10,001 or more"),
        ("folder=x,y", "folder must be left out with -m, got folder=x,y: each job has one of its"),
        ("resume=true", "resume must be left out with -m, got resume=true: sweep.resume=true goes"),
    ],
)
def test_a_sweep_of_no_job_or_of_too_many_is_one_sentence(tmp_path, capsys, override, told):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"sweep.folder={tmp_path}/sweep"], return_hydra_config=True)
        with read_write(config), open_dict(config):
            config.hydra.overrides.task = [override]
        with pytest.raises(SystemExit) as stopped:
            Sweep().on_multirun_start(config)
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "sweep").exists()


def test_sweeps_that_begin_in_the_same_second_have_a_folder_each_and_a_typed_one_is_refused(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = sweep_config(tmp_path / "sweep", False)
    config.hydra.overrides = {"task": [], "hydra": []}
    assert [hold_folder(config).name for _ in range(3)] == ["sweep", "sweep_2", "sweep_3"]
    config.hydra.overrides.task = [f"sweep.folder={tmp_path}/sweep"]
    assert hold_folder(config).name == "sweep"
    config.hydra.sweep.dir = "/dev/null"
    with pytest.raises(ValueError, match=r"sweep\.folder must be a folder, got /dev/null"):
        hold_folder(config)
