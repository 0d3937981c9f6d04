"""`layerscope digest RUN_DIR`, as a program calls it."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from layerscope.__main__ import main
from layerscope.diagnose.measured.figures import Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.events.event_file import EventFile
from layerscope.lab.status import RunStatus
from layerscope.sinks.figures_event import FiguresEncoder
from tests.watching import watch_loop


@pytest.fixture(scope="module")
def unscaled(tmp_path_factory):
    """A run whose inputs are fifty times too large."""
    folder = tmp_path_factory.mktemp("runs") / "unscaled"
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 3))
    classes = torch.arange(32) % 3
    watch_loop(
        net,
        folder,
        40,
        lambda step: (torch.randn(32, 10) * 50,),
        lambda logits: nn.functional.cross_entropy(logits, classes),
        optimizer=torch.optim.SGD(net.parameters(), lr=0.1),
    )
    return folder


def told(capsys, folder):
    assert main(["digest", str(folder)]) == 0
    text = capsys.readouterr().out
    assert len(text.encode()) <= 32_000
    return json.loads(text)


def test_the_digest_of_a_run_has_the_findings_of_the_run(capsys, unscaled):
    digest = told(capsys, unscaled)
    own = json.loads((unscaled / "diagnosis.json").read_text(encoding="utf-8"))["findings"]
    assert [(f["rule"], f["because"]) for f in digest["findings"]] == [
        (f["rule"], f["because"]) for f in own
    ]
    assert digest["findings"][0]["rule"] == "input_scale"
    assert digest["findings"][0]["layer"] == "inputs"
    assert digest["inputs"]["input_rms"] > 40
    assert digest["loss"]["kind"] == "cross_entropy"
    assert digest["run"]["name"] == "unscaled"
    assert (digest["run"]["state"], digest["run"]["reason"]) == ("finished", None)
    assert digest["run"]["measured_steps"] == 40


def test_it_says_how_the_run_ended_where_that_is_known(capsys, unscaled):
    status = unscaled / "status.json"
    RunStatus("interrupted", "by hand", seconds=3.0).write(unscaled)
    try:
        run = told(capsys, unscaled)["run"]
    finally:
        status.unlink()
    assert (run["state"], run["reason"], run["seconds"]) == ("interrupted", "by hand", 3)


@pytest.mark.parametrize(
    ("state", "says"),
    [("interrupted", "was interrupted after step 39"), ("unknown", "the watching failed")],
)
def test_it_says_how_far_a_loop_has_come_that_has_no_status(capsys, unscaled, state, says):
    path = unscaled / "diagnosis.json"
    before = path.read_text(encoding="utf-8")
    path.write_text(json.dumps(json.loads(before) | {"state": state}), encoding="utf-8")
    try:
        run = told(capsys, unscaled)["run"]
    finally:
        path.write_text(before, encoding="utf-8")
    assert run["state"] == state
    assert says in run["reason"]


def test_a_run_of_two_thousand_layers_fits(capsys, tmp_path):
    layers = [LayerFacts(f"{i:04d}_block.{i}.tanh", f"{i}", "Tanh", i) for i in range(2000)]
    figures = Figures.empty(layers, range(5))
    figures.of_layers[:] = 0.5
    encoder = FiguresEncoder(layers)
    with EventFile(tmp_path) as events:
        for i in range(5):
            events.add(
                i, encoder.encode_steps(figures.of_layers[[i]], figures.of_steps[[i]])[0], 1.0
            )
    digest = told(capsys, tmp_path)
    assert digest["left_out"]["layers"] == 2000 - len(digest["layers"]) > 1000


def test_a_folder_without_a_run_is_told_in_one_sentence(capsys, tmp_path):
    assert main(["digest", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_it_answers_without_torch(unscaled):
    program = (
        "import sys; from layerscope.__main__ import main; main(['digest', sys.argv[1]]); "
        "sys.exit(3 if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(unscaled)], capture_output=True, timeout=120
    )
    assert done.returncode == 0
