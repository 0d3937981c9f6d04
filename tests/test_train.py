"""The training as a user runs it: every file of conf/, every bad setting, the golden figures."""

import json
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from layerscope.lab.language_model import LanguageModel
from layerscope.training.run import _accounted, train

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"
QUICK = ["trainer.enable_progress_bar=false", "names=2", "report=false"]
CHOICES = sorted(
    f"{path.parent.name}={path.stem}"
    for path in CONF.glob("*/*.yaml")
    if path.parent.name in ("init", "model", "optimizer", "trainer", "logger", "monitor")
    or path.stem in ("names", "notebook", "auto", "cpu")
    or path.parent.name == "experiment"
)


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def run(folder, *overrides, train=train):
    """Train in this process, in `folder`; the exit code."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"folder={folder}", *QUICK, *overrides])
    return train(cfg)


def status(folder):
    return json.loads((folder / "status.json").read_text())


def diagnosis(folder):
    return json.loads((folder / "diagnosis.json").read_text())


DEEP = ("experiment=hundred_layers", "experiment=three_hundred_layers")


@pytest.mark.parametrize(
    "choice", [pytest.param(each, marks=[pytest.mark.slow] * (each in DEEP)) for each in CHOICES]
)
def test_every_file_of_conf_composes_and_runs_two_steps(tmp_path, choice):
    assert run(tmp_path, choice, "trainer.max_steps=2", "trainer.max_epochs=2") == 0
    assert status(tmp_path)["state"] == "finished"
    assert status(tmp_path)["steps"] == 2
    assert (tmp_path / "diagnosis.json").exists() == (choice != "monitor=none")


def test_a_finished_run_leaves_what_the_design_says(tmp_path, capsys):
    assert run(tmp_path, "trainer.max_epochs=1", "report=true") == 0
    assert status(tmp_path).keys() == {
        *("state", "reason", "val/loss", "seconds", "steps", "fingerprint", "overrides"),
        *("versions", "process"),
    }
    assert 2 < status(tmp_path)["val/loss"] < 2.5
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == {
        *("events", "keyframes", "checkpoints", "diagnosis", "report", "status")
    }
    checkpoints = {path.name: path for path in (tmp_path / "checkpoints").iterdir()}
    assert checkpoints.keys() == {"best-step=168.ckpt", "last.ckpt"}
    for checkpoint in checkpoints.values():
        assert torch.load(checkpoint, weights_only=True)["global_step"] == 168
    printed = capsys.readouterr().out
    for word in (f"logs: {tmp_path}", "01_tanh", "step 167", "names that it made up: "):
        assert word in printed
    page, board = f"report: {tmp_path}/report.html", f"board: tensorboard --logdir {tmp_path}"
    assert printed.splitlines()[-1] in (
        f"{findings} · {page} · {board}" for findings in ("no finding", "1 note", "2 notes")
    )


GOLDEN = json.loads((ROOT / "tests/lab/golden_notebook.json").read_text())["schemes"]


@pytest.mark.parametrize("scheme", GOLDEN)
def test_the_notebook_comes_out_of_diagnosis_json(tmp_path, scheme):
    assert run(tmp_path, "experiment=notebook", f"init={scheme}", "trainer.max_epochs=1") == 0
    step, golden = diagnosis(tmp_path)["steps"][0], GOLDEN[scheme]
    layers = {entry["layer"]: entry for entry in step["layers"]}
    hidden = [layers[f"0{i}_tanh"] for i in (1, 2, 3)]
    assert step["step"] == 0
    assert step["loss"] == pytest.approx(golden["loss"], rel=1e-5)
    for entry, expected in zip(hidden, golden["layers"], strict=True):
        activation = entry["activation"]
        assert activation["mean"] == pytest.approx(expected["mean"], abs=1e-6)
        assert activation["std"] == pytest.approx(expected["std"], rel=1e-5)
        assert activation["saturated"] == pytest.approx(expected["saturated_099"], rel=1e-5)
    for entry, name in zip((*hidden, layers["04_logits"]), ("W1", "W2", "W3", "W4"), strict=True):
        expected = golden["weight_grad_mean_abs"][name]
        assert entry["weight_grad"]["mean_abs"] == pytest.approx(expected, rel=1e-5)


def test_the_saturation_threshold_is_a_setting(tmp_path):
    options = ("experiment=notebook", "init=random", "trainer.max_epochs=1")
    assert run(tmp_path, *options, "monitor.saturation_threshold=0.97") == 0
    found = [e["activation"]["saturated"] for e in diagnosis(tmp_path)["steps"][0]["layers"][1:4]]
    expected = [layer["saturated_097"] for layer in GOLDEN["random"]["layers"]]
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_watching_changes_no_weight_of_a_run_bit_for_bit(tmp_path):
    weights = []
    for monitor in ("default", "none"):
        folder = tmp_path / monitor
        folder.mkdir()
        assert run(folder, f"monitor={monitor}", "trainer.max_steps=40") == 0
        checkpoint = folder / "checkpoints/last.ckpt"
        weights.append(torch.load(checkpoint, weights_only=True)["state_dict"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_the_vanishing_experiment_fades_toward_the_input(tmp_path):
    assert run(tmp_path, "experiment=vanishing", "trainer.max_steps=1") == 0
    layers = diagnosis(tmp_path)["steps"][0]["layers"]
    rms = [entry["activation_grad"]["rms"] for entry in layers[1:11]]
    factor = (rms[0] / rms[-1]) ** (1 / 9)
    assert np.all(np.diff(rms) > 0)
    assert factor == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["init.gain=-1"], "init.gain must be a finite number of at least 0, got -1"),
        (["model.depth=0"], "model.depth must be at least 1, got 0"),
        (["model.depth=100000"], "model.depth must be at most 10000, got 100000"),
        (["model.width=100000"], "model.width must make a network that fits into"),
        (["model.activation=tan"], "model.activation must be one of"),
        (["monitor.every_n_steps=0"], "monitor.every_n_steps must be at least 1, got 0"),
        (["monitor.saturation_threshold=1.5"], "saturation_threshold must be above 0 and below 1"),
        (["monitor.thresholds.saturated_bad=2"], "saturated_bad must be between 0 and 1, got 2"),
        (["monitor.layers=nowhere"], "has no module to watch that layers='nowhere' chooses"),
        (["data=text_file"], "data.path"),
        (["data=text_file", "data.path=/nowhere.txt"], "/nowhere.txt"),
        (["data=text_file", "data.path=/dev/zero"], "data.path must be a text file, got /dev/zero"),
        (
            ["model.norm=batch", "data.batch_size=1353"],  # 171,832 is 127 x 1353 + 1
            "model.norm=batch needs at least 2 examples in every batch, got a batch of 1 with",
        ),
        (["model.residual=maybe"], "model.residual must be true or false, got maybe"),
        (["data.batch_size=0"], "batch_size must be at least 1"),
        (["trainer.strategy=nothing"], "strategy"),
        (["trainer.max_epochs=-2"], "max_epochs"),
        (["trainer.max_steps=0"], "trainer.max_steps must be at least 1, or -1 for no bound, got"),
        (["trainer.max_epochs=-1"], "trainer.max_epochs must be at least 1, for the scheduler"),
        (["accelerator=cpu", "trainer.devices=99999"], "trainer.devices must be at most"),
        (["trainer.devices=-1", "accelerator=cpu"], "devices"),
        (["optimizer.lr=inf"], "optimizer.lr must be a finite number of at least 0, got inf"),
        (["+scheduler.T_max=3"], "scheduler: "),
        (["trainer.accumulate_grad_batches=0"], "accumulate_grad_batches must be at least 1"),
        (["+trainer.check_val_every_n_epoch=0"], "check_val_every_n_epoch must be at least 1, got"),
        (["+trainer.val_check_interval=0"], "trainer.val_check_interval must be above 0, got 0"),
        (["+trainer.val_check_interval=999"], "trainer.val_check_interval must be at most "),
        (["+trainer.limit_train_batches=0"], "trainer.limit_train_batches must be above 0, got 0"),
        (["trainer.gradient_clip_val=nan"], "trainer.gradient_clip_val must be a finite number"),
        (["data.context_length=1000000"], "data.context_length must be at most 1024, got 1000000"),
        (["data.split_seed=-1"], "data.split_seed must be at least 0, got -1"),
        (["+optimizer.speed=3"], "speed"),
        (["seed=-1"], "seed must be"),
        (["names=-1"], "names must be"),
        (["name=../a"], "name must be that of a folder below logs/, got '../a'"),
        (["name=''"], "name must be that of a folder below logs/, got ''"),
    ],
)  # fmt: skip
def test_a_bad_setting_is_one_sentence_and_leaves_only_the_status(
    tmp_path, capsys, overrides, sentence
):
    assert run(tmp_path, *overrides, train=_accounted) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]
    assert status(tmp_path)["state"] == "failed"
    assert sentence in status(tmp_path)["reason"]
    error = capsys.readouterr().err
    assert error == f"error: {status(tmp_path)['reason']}\n"


def test_a_traceback_of_a_bad_setting_is_there_for_those_who_ask(tmp_path, capsys):
    assert run(tmp_path, "model.depth=0", "debug=true") == 2
    told = capsys.readouterr().err
    assert told.startswith("Traceback")
    assert told.endswith("\nerror: model.depth must be at least 1, got 0\n")


def test_a_folder_that_cannot_be_made_is_one_sentence(capsys):
    assert run("/dev/null/x") == 2
    told = capsys.readouterr().err
    assert told == "error: folder must be one that can be written to, got /dev/null/x: " + (
        "Not a directory\n"
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_where_there_is_none_says_what_to_type(tmp_path, capsys):
    assert run(tmp_path, "accelerator=cuda") == 2
    assert "use accelerator=cpu" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_a_training_that_fails_says_so_and_keeps_what_was_measured(tmp_path, monkeypatch, capsys):
    def training_step(self, batch):
        if self.global_step == 3:
            raise RuntimeError("planted")
        return original(self, batch)

    original = LanguageModel.training_step
    monkeypatch.setattr(LanguageModel, "training_step", training_step)
    assert run(tmp_path) == 1
    assert status(tmp_path)["state"] == "failed"
    assert status(tmp_path)["reason"] == "RuntimeError: planted"
    assert status(tmp_path)["steps"] == 3
    assert diagnosis(tmp_path)["steps"][-1]["step"] == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_monitor_that_fails_is_told_of_in_the_status(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr("layerscope.session.pipeline.Pipeline.take", fail)
    assert run(tmp_path, "trainer.max_steps=3") == 0
    assert status(tmp_path)["state"] == "finished"
    assert status(tmp_path)["reason"].startswith("monitoring stopped at step 0: OSError")


def test_a_text_file_has_its_own_alphabet(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("\n".join(f"wörd{i} ß{i}" for i in range(50)), encoding="utf-8")
    folder = tmp_path / "run"
    folder.mkdir()
    assert run(folder, "data=text_file", f"data.path={path}", "trainer.max_epochs=2") == 0
    assert math.isfinite(status(folder)["val/loss"])


def test_depth_and_activation_are_settings(tmp_path):
    overrides = ("init=random", "accelerator=cpu", "model.depth=10", "model.activation=relu")
    assert run(tmp_path, *overrides, "trainer.max_steps=1") == 0
    names = [entry["layer"] for entry in diagnosis(tmp_path)["steps"][0]["layers"]]
    assert names == ["00_embedding", *(f"{i:02d}_relu" for i in range(1, 11)), "11_logits"]


@pytest.mark.slow
def test_an_interrupted_run_says_so_and_keeps_what_was_measured(tmp_path):
    """By Ctrl-C; SIGTERM is that of tests/training/test_resume.py and of the sweeps."""
    process = subprocess.Popen(
        [sys.executable, "train.py", f"hydra.run.dir={tmp_path}", *QUICK, "trainer.max_epochs=500"],
        cwd=ROOT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 150
        files = tmp_path / "keyframes"
        while sum(each.stat().st_size for each in files.glob("events.*")) < 10_000:  # no step 0
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert status(tmp_path)["state"] == "interrupted"
    assert status(tmp_path)["steps"] > 0
    assert diagnosis(tmp_path)["steps"][0]["step"] == 0


SICK = ("init=random", "trainer.max_steps=8")


def test_a_refused_finding_makes_the_exit_code_4_after_a_whole_run(tmp_path, capsys):
    assert run(tmp_path, *SICK, "monitor.fail_on=critical") == 4
    assert status(tmp_path)["state"] == "finished"
    assert status(tmp_path)["steps"] == 8
    assert status(tmp_path)["reason"].startswith("refused: 71.8% of the outputs of 01_tanh are")
    assert "saturated" in capsys.readouterr().out


def test_a_healthy_run_is_not_refused(tmp_path):
    assert run(tmp_path, "trainer.max_steps=8", "monitor.fail_on=warning") == 0


def test_stop_on_ends_training_as_soon_as_the_finding_is_made(tmp_path):
    assert run(tmp_path, "init=random", "monitor.stop_on=critical") == 0
    lasting = 5  # steps that a symptom must last
    assert status(tmp_path)["steps"] == lasting
    found = [
        (each["rule"], each["layer"], each["step"]) for each in diagnosis(tmp_path)["findings"]
    ]
    assert ("saturated", "01_tanh", 0) in found


@pytest.mark.parametrize("init", ["kaiming", "xavier", "random", "orthogonal"])
def test_step_0_has_what_theory_expects_beside_what_was_measured(tmp_path, init):
    assert run(tmp_path, f"init={init}", "trainer.max_steps=1") == 0
    found = diagnosis(tmp_path)
    first, *_ = found["steps"]
    hidden = [entry for entry in first["layers"] if "predicted" in entry]
    assert [entry["layer"] for entry in hidden] == [f"0{i}_tanh" for i in range(1, 6)]
    for entry in hidden:
        predicted = entry["predicted"]["std"]
        assert entry["activation"]["std"] == pytest.approx(predicted, rel=0.1)
    last = hidden[-1]["activation_grad"]["rms"]
    for entry in hidden:
        measured = entry["activation_grad"]["rms"] / last
        assert measured == pytest.approx(entry["predicted"]["activation_grad"], rel=0.3)
    assert found["theory"]["phase"]["activation"] == "tanh"
    assert not [f for f in found["findings"] if f["rule"] == "unexpected"]


def test_a_net_that_is_not_what_its_author_thinks_is_found_out(tmp_path, monkeypatch):
    from layerscope.lab.init import InitScheme

    right = InitScheme.__call__

    def wrong(self, model, generator, batch=None):
        right(self, model, generator, batch)
        with torch.no_grad():
            model.get_parameter("4.weight").mul_(2)  # of the third hidden layer

    monkeypatch.setattr(InitScheme, "__call__", wrong)
    assert run(tmp_path, "trainer.max_steps=1") == 0
    (finding,) = [f for f in diagnosis(tmp_path)["findings"] if f["rule"] == "unexpected"]
    assert (finding["severity"], finding["layer"], finding["step"]) == ("warning", "03_tanh", 0)


@pytest.mark.slow
@pytest.mark.parametrize("init", ["glorot", "lecun", "orthogonal"])  # kaiming: see above
def test_the_default_run_gives_no_warning_under_another_good_init(tmp_path, init):
    assert run(tmp_path, f"init={init}", "trainer.max_steps=60") == 0
    assert {f["severity"] for f in diagnosis(tmp_path)["findings"]} <= {"note"}
