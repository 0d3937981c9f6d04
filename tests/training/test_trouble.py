"""A full disk, a folder that is removed, a reader that leaves: the training keeps its result."""

import json
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager

import torch

from layerscope.lab.language_model import LanguageModel
from layerscope.training.checkpoint_file import CheckpointFile
from tests.training.test_resume import run


@contextmanager
def full_disk(monkeypatch):
    """From the third step on no file may grow beyond 2,000 bytes; afterwards pytest's own may."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    original = LanguageModel.training_step

    def training_step(self, batch):
        if self.global_step == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))
        return original(self, batch)

    monkeypatch.setattr(LanguageModel, "training_step", training_step)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_ends_no_training_and_leaves_nothing_half(tmp_path, words, monkeypatch, caplog):
    with full_disk(monkeypatch):
        assert run(tmp_path, words) == 0
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["state"], status["steps"]) == ("finished", 15)
    for told in ("monitoring stopped at step ", "the checkpoint of step 15 was not written: File "):
        assert told in status["reason"]
    assert caplog.text.count("was not written") == 1  # of several
    files = {path.name.split(".")[0] for path in tmp_path.iterdir() if path.is_file()}
    assert files == {"events", "status"}
    kept = {path.name: path for path in (tmp_path / "checkpoints").iterdir()}
    assert set(kept) == {"best-step=3.ckpt", "last.ckpt"}  # those of the validation before
    assert {torch.load(path, weights_only=True)["global_step"] for path in kept.values()} == {3}


def test_a_folder_that_is_removed_is_told_and_what_comes_later_is_kept(
    tmp_path, words, monkeypatch
):
    folder, original = tmp_path / "run", LanguageModel.training_step

    def training_step(self, batch):
        if self.global_step == 7:
            shutil.rmtree(folder, ignore_errors=True)
        return original(self, batch)

    monkeypatch.setattr(LanguageModel, "training_step", training_step)
    assert run(folder, words, "monitor.flush_seconds=0") == 0
    status = json.loads((folder / "status.json").read_text())
    assert status["state"] == "finished"
    assert "monitoring stopped at step " in status["reason"]
    assert "the event file was removed" in status["reason"]
    last = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)
    assert last["global_step"] == 15


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path):
    file, path = CheckpointFile(), tmp_path / "last.ckpt"
    file.save_checkpoint({"global_step": 1}, path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))
        file.save_checkpoint({"global_step": 2, "weights": torch.zeros(10_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert file.failure == "the checkpoint of step 2 was not written: File too large"
    assert [each.name for each in tmp_path.iterdir()] == ["last.ckpt"]
    assert torch.load(path, weights_only=True) == {"global_step": 1}
    file.save_checkpoint({"global_step": 3}, path)
    assert file.failure is None


def test_stdout_that_nobody_reads_any_more_takes_what_is_printed():
    code = """
import sys
from layerscope.reader_gone import train_on_unread
train_on_unread()
sys.stdin.readline()
print("line\\n" * 100_000, flush=True)
print("done", file=sys.stderr)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdout.close()
    process.stdout = None
    _, error = process.communicate("now\n", timeout=60)
    assert (process.returncode, error) == (0, "done\n")
