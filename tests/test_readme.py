"""Every command of the README does what it says."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from layerscope import LayerMonitor
from layerscope.__main__ import main
from tests.makefile import make

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
INDENTED = [line[4:] for line in README.splitlines() if line.startswith("    ")]
TRAININGS = [line for line in INDENTED if line.startswith("python train.py")]
TARGETS = sorted(set(re.findall(r"\bmake ([a-z]+)", README)))


@pytest.mark.slow
@pytest.mark.parametrize("line", TRAININGS)
def test_a_training_of_the_readme_runs(tmp_path, line):
    where = "sweep" if " -m " in line else "run"
    done = subprocess.run(
        [
            sys.executable, *line.split()[1:], f"hydra.{where}.dir={tmp_path}",
            "trainer.max_steps=1", "trainer.enable_progress_bar=false", "names=2",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=170, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    jobs = 9 if where == "sweep" else 1
    assert len(list(tmp_path.rglob("diagnosis.json"))) == jobs
    for heading in ("logs: ", "Health of every layer", "names that it made up: ", "board: "):
        assert done.stdout.count(heading) == (where == "run")
    if where == "sweep":
        assert done.stdout.startswith(f"{jobs} jobs; each prints a line when it ends\n")
        assert all(f"[{number} of {jobs}]\n" in done.stdout for number in range(1, jobs + 1))


def test_the_readme_names_the_five_daily_commands():
    assert len(TRAININGS) == 4
    assert "board" in TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_of_the_readme_exists(target):
    assert make("-n", target).returncode == 0


def test_make_help_lists_the_targets():
    listed = re.findall(r"^  make ([a-z]+) ", make("help").stdout, re.MULTILINE)
    assert {"train", "test", "check", "board", "sweep", "bench", "data", "clean"} <= set(listed)


def test_the_script_of_the_readme_is_watched(tmp_path, monkeypatch, capsys):
    (line,) = [each for each in INDENTED if each.startswith("layerscope run ")]
    monkeypatch.chdir(tmp_path)
    Path("train_mine.py").write_text(
        "import torch\n"
        "net = torch.nn.Linear(3, 2)\n"
        "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "net(torch.ones(4, 3)).sum().backward()\n"
        "optimizer.step()\n"
    )
    assert main(line.split()[1:]) == 0
    assert list(Path("runs").glob("train_mine_*/diagnosis.json"))


def test_the_callback_of_the_readme_is_there():
    start = INDENTED.index("from lightning.pytorch import Trainer")
    namespace = {}
    exec("\n".join(INDENTED[start : start + 3]), namespace)
    assert any(isinstance(each, LayerMonitor) for each in namespace["trainer"].callbacks)


def test_the_plain_loop_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    given = {
        "model": model,
        "optimizer": optimizer,
        "batches": [(torch.ones(4, 3), torch.zeros(4, 2))] * 3,
        "loss_function": torch.nn.functional.mse_loss,
    }
    start = INDENTED.index("from layerscope import watch")
    exec("\n".join(INDENTED[start : start + 8]), given)
    (measured,) = json.loads((tmp_path / "logs/mine/diagnosis.json").read_text())["steps"][:1]
    assert measured["layers"][0]["activation"]["mean"] != 0


def test_what_the_readme_shows_is_what_the_tutorial_is_held_to():
    finding = README.split("```")[1].strip().splitlines()[:-1]
    assert "\n".join(finding) in (ROOT / "docs/tutorials/engineer.md").read_text("utf-8")
    assert len(finding) == 5


def test_what_the_readme_points_to_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
