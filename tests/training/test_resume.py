"""A run that was stopped and goes on is, to the bit, one that was never stopped."""

import io
import json
import os
import random
import signal
import warnings
import zipfile

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir

from layerscope.diagnose.measured.figure_names import LAYER_FIGURES, STEP_FIGURES
from layerscope.events.reader import read_run
from layerscope.lab.language_model import LanguageModel
from layerscope.lab.status import RunStatus
from layerscope.sinks.figures_event import figures_of
from layerscope.training import last_checkpoint
from layerscope.training.checkpoint_file import RandomState
from layerscope.training.run import train
from tests.training.test_run_folder import CONF

# `run` leaves it out: what a resumed run finds there is what it is to go on from.
pytestmark = pytest.mark.filterwarnings("ignore:Checkpoint directory:UserWarning")

SETTINGS = [
    "data=text_file", "data.batch_size=36", "trainer.accumulate_grad_batches=2",
    "+trainer.val_check_interval=3", "trainer.max_epochs=3",
    "trainer.enable_progress_bar=false", "names=0", "report=false", "model.width=16",
    "model.depth=3", "init=random", "monitor.dead_window=64",
    "model.activation=relu", "accelerator=cpu",
]  # fmt: skip
BATCHES = 9  # of an epoch, and 5 steps: the last one has a single batch
# It is validated in the middle of an epoch's second step, at the end of the third and of the last.


def run(folder, words, *overrides):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [f"folder={folder}", f"data.path={words}", *SETTINGS, *overrides])
    return train(cfg)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, words):
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder, words) == 0
    return folder


@pytest.fixture
def signals():
    """Lightning ignores Ctrl-C once it has seen one; this process should not."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def happens_in(monkeypatch, call, what, method="training_step"):
    """Something happens in the n-th batch of a training, or of its validations."""
    original, seen = getattr(LanguageModel, method), []

    def step(self, data):
        seen.append(data)
        if len(seen) == call + 1:
            what()
        return original(self, data)

    monkeypatch.setattr(LanguageModel, method, step)


def checkpoint(folder):
    return torch.load(folder / "checkpoints/last.ckpt", weights_only=True)


def assert_equal(one, other, path=""):
    assert type(one) is type(other), path
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            assert_equal(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), path
        for i, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_equal(left, right, f"{path}/{i}")
    else:
        assert one == other, path


def written(folder):
    """What the event files say of every step, but for times."""
    events = read_run(folder)
    figures = figures_of(events)
    histograms = {
        tag: (series.steps.tolist(), np.asarray(series.buckets).tolist())
        for tag, series in events.histograms.items()
    }
    losses = {tag: (s.steps.tolist(), s.values.tolist()) for tag, s in events.scalars.items()
              if tag.endswith("/loss") or tag.startswith("finding/")}  # fmt: skip
    return figures, histograms, losses


STOPPED = [
    (0, signal.SIGTERM, 1),  # in the first batch of a step of two
    (3, signal.SIGINT, 2),
    (5, signal.SIGINT, 3),  # before a validation
    (BATCHES - 1, signal.SIGTERM, 5),  # in the last batch of an epoch
    (BATCHES + 2, signal.SIGTERM, 7),
    (2 * BATCHES, signal.SIGINT, 11),
]


@pytest.mark.parametrize(("batch", "number", "steps"), STOPPED)
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(
    tmp_path, monkeypatch, words, whole, signals, batch, number, steps
):
    happens_in(monkeypatch, batch, lambda: os.kill(os.getpid(), number))
    assert run(tmp_path, words) == 128 + number
    status = json.loads((tmp_path / "status.json").read_text())
    name = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}[number]
    assert (status["state"], status["reason"]) == ("interrupted", f"{name} at step {steps}")
    assert figures_of(read_run(tmp_path)).steps.tolist() == list(range(steps))
    assert_goes_on_to_the_same_bits(tmp_path, words, whole, steps)


@pytest.mark.parametrize(
    ("batch", "method", "steps"),
    [
        (BATCHES + 3, "training_step", 6),  # a validation has left a checkpoint of half a step
        (2, "validation_step", 2),  # the second validation, which follows the third step
    ],
)
def test_a_run_that_died_goes_on_from_the_last_whole_step(
    tmp_path, monkeypatch, words, whole, signals, batch, method, steps
):
    monkeypatch.setattr(last_checkpoint, "_EVERY", 0.0)
    happens_in(monkeypatch, batch, lambda: 1 / 0, method)
    assert run(tmp_path, words) == 1
    assert_goes_on_to_the_same_bits(tmp_path, words, whole, steps)


def test_a_validation_within_a_step_has_its_last_checkpoint_when_the_step_is_over(
    tmp_path, monkeypatch, words, whole, signals
):
    happens_in(monkeypatch, 4, lambda: 1 / 0)  # in the third step; the second was validated within
    assert run(tmp_path, words) == 1
    assert_goes_on_to_the_same_bits(tmp_path, words, whole, 2)


def assert_goes_on_to_the_same_bits(tmp_path, words, whole, steps):
    assert checkpoint(tmp_path)["global_step"] == steps
    assert run(tmp_path, words, "resume=true") == 0
    resumed, never_stopped = checkpoint(tmp_path), checkpoint(whole)
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch"):
        assert_equal(resumed[part], never_stopped[part], part)
    (figures, histograms, losses), (expected, *others) = written(tmp_path), written(whole)
    assert figures.steps.tolist() == list(range(15))
    assert [histograms, losses] == others
    known_later = ("gradients_kept", "gradients_cleared", "gradients_late", "gradients_changed")
    of_the_step_before = {*known_later, "gradients_divided"}  # there was none
    assert all(np.isnan(figures[name][steps]) for name in of_the_step_before)
    for name in {*LAYER_FIGURES, *STEP_FIGURES} - {"monitor_ms", "step_ms"} - of_the_step_before:
        np.testing.assert_array_equal(figures[name], expected[name], err_msg=name)
    told = [json.loads((folder / "diagnosis.json").read_text()) for folder in (tmp_path, whole)]
    assert_equal(*told)
    rows = [b"_hparams_/session_start_info" in f.read_bytes() for f in tmp_path.glob("*tfevents*")]
    assert sum(rows) == 1


def test_two_generators_that_others_draw_from_go_on_too():
    kept = RandomState()
    random.seed(5), np.random.seed(5), torch.manual_seed(5)  # noqa: NPY002

    def draw():
        return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002

    draw()
    state, expected = kept.state_dict(), draw()
    saved = io.BytesIO()
    torch.save(state, saved)
    saved.seek(0)
    draw()
    kept.load_state_dict(torch.load(saved, weights_only=True))
    kept.on_train_start(None, None)
    assert draw() == expected


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "ckpt_path must be a checkpoint, got {path}, which is not there"),
        (os.mkfifo, "ckpt_path must be a whole checkpoint, got {path}: it is a device or a pipe"),
        (b"", "ckpt_path must be a whole checkpoint, got {path}: "),
        (b"PK\3\4 and so on", "ckpt_path must be a whole checkpoint, got {path}: "),
        ({"a": 1}, "ckpt_path must be a checkpoint of a training, got {path}, which holds"),
        (  # of weights alone
            {"state_dict": {}, "global_step": 1},
            "ckpt_path must be a checkpoint of a training, got {path}, which holds",
        ),
        (
            RunStatus("finished"),
            "ckpt_path must be a whole checkpoint, got {path}: it is damaged, or",
        ),
        (
            {
                "state_dict": {"network.embedding.weight": torch.zeros(2, 3)},
                "global_step": 1,
                "loops": {},
                "optimizer_states": [],
            },
            "ckpt_path must be a checkpoint of this network, got {path}: network.",
        ),
    ],
)
def test_a_checkpoint_that_is_of_no_use_is_one_sentence(tmp_path, words, capsys, content, sentence):
    path = tmp_path / "a.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif callable(content):
        content(path)
    elif content is not None:
        torch.save(content, path)
    assert run(tmp_path / "run", words, f"ckpt_path={path}") == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {sentence.format(path=path)}")
    assert told.count("\n") == 1


@pytest.mark.parametrize("at", [0.0, 0.5, 0.99])  # of the records
def test_a_flipped_bit_in_a_checkpoint_is_found(tmp_path, words, whole, capsys, at):
    path = whole / "checkpoints/last.ckpt"
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:  # a bit of a record's header may say nothing
        records = [archive.read(info) for info in archive.infolist() if info.file_size > 100]
    record = records[int(at * len(records))]
    content[content.index(record) + len(record) // 2] ^= 4
    (tmp_path / "a.ckpt").write_bytes(content)
    assert run(tmp_path / "run", words, f"ckpt_path={tmp_path / 'a.ckpt'}") == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: ckpt_path must be a whole checkpoint, got {tmp_path}/a.ckpt: ")
    assert told.count("\n") == 1


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        (
            "optimizer_states",
            "ckpt_path must be a checkpoint of this optimizer, AdamW, got {path}: ",
        ),
        ("loops", "ckpt_path must be a checkpoint that this training can go on from, got {path}: "),
    ],
)
def test_a_checkpoint_with_a_part_of_another_training_is_one_sentence(
    tmp_path, words, whole, capsys, part, sentence
):
    content, path = checkpoint(whole), tmp_path / "a.ckpt"
    if part == "loops":
        content["loops"] = {}
    else:  # as SGD leaves it
        (state,) = content["optimizer_states"]
        del state["param_groups"][0]["betas"]
    torch.save(content, path)
    assert run(tmp_path / "run", words, f"ckpt_path={path}") == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {sentence.format(path=path)}")
    assert told.count("\n") == 1
    status = json.loads((tmp_path / "run/status.json").read_text())
    assert (status["state"], f"error: {status['reason']}\n") == ("failed", told)


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
@pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`, callbacks")
def test_a_monitors_state_that_is_malformed_is_one_sentence(tmp_path, words, whole, caplog):
    content = checkpoint(whole)
    (key,) = (each for each in content["callbacks"] if each.startswith("LayerMonitor"))
    for number, state in enumerate(([1], {"a": 1}, content["callbacks"][key] | {"output": 3})):
        caplog.clear()
        content["callbacks"][key] = state
        torch.save(content, tmp_path / "a.ckpt")
        folder = tmp_path / str(number)
        settings = (f"ckpt_path={tmp_path / 'a.ckpt'}", "trainer.max_epochs=4")
        assert run(folder, words, *settings) == 0
        assert "its state in the checkpoint is malformed, or of another version" in caplog.text
        assert "Traceback" not in caplog.text
        status = json.loads((folder / "status.json").read_text())
        assert (status["state"], status["reason"]) == ("finished", None)
        assert figures_of(read_run(folder)).steps.tolist() == [15, 16, 17, 18, 19]


def test_a_checkpoint_may_be_gone_on_from_in_another_folder(tmp_path, words, whole):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The dirpath has changed")
        warnings.filterwarnings("ignore", message="Be aware that when using `ckpt_path`, callbacks")
        path = whole / "checkpoints/last.ckpt"
        assert run(tmp_path, words, f"ckpt_path='{path}'", "trainer.max_epochs=4") == 0
    assert figures_of(read_run(tmp_path)).steps.tolist() == [15, 16, 17, 18, 19]
    first, last = json.loads((tmp_path / "diagnosis.json").read_text())["steps"]
    assert (first["step"], last["step"]) == (0, 19)
