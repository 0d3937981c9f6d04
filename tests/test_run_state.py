"""How a run stands is told without a status.json, too: by its lock and its diagnosis."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from layerscope import watch
from layerscope.process_identity import ProcessIdentity
from layerscope.run_lock import NAME, RunLock
from layerscope.run_state import state_of, unfinished

OWN = ProcessIdentity.own()
ENDED = ProcessIdentity(OWN.pid, (OWN.started or 0) - 1, OWN.boot, OWN.host)

LOOP = """
import sys
import torch
from layerscope import watch
net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
watcher = watch(net, sys.argv[1], images=False, summary=False).start()
loss = net(torch.ones(4, 3)).square().mean()
loss.backward()
optimizer.step()
watcher.step(loss)
assert len(sys.argv) < 3, "planted"
"""


def test_a_run_goes_on_while_a_process_holds_its_folder_and_has_died_with_it(tmp_path):
    assert state_of(tmp_path, None, None) == "unknown"
    with RunLock(tmp_path):
        (tmp_path / "diagnosis.json").write_text('{"state": "interrupted"}')  # it is resumed
        assert state_of(tmp_path, None, None) == "running"
    (tmp_path / NAME).write_text(json.dumps(ENDED.as_json()))
    assert state_of(tmp_path, None, None) == "died"


@pytest.mark.parametrize(
    ("told", "process", "state"),
    [
        ("running", OWN, "running"),
        ("running", ENDED, "died"),
        ("running", None, "running"),
        ("failed", ENDED, "failed"),
    ],
)
def test_what_status_json_says_counts_unless_the_process_has_ended(tmp_path, told, process, state):
    (tmp_path / "diagnosis.json").write_text('{"state": "finished"}')
    with RunLock(tmp_path):
        assert state_of(tmp_path, told, process) == state


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ('{"state": "finished"}', "finished"),
        ('{"state": "unknown"}', "unknown"),
        ('{"state": "well"}', "unknown"),
        ('{"state": []}', "unknown"),
        ("{}", "unknown"),
        ("[]", "unknown"),
        ("{", "unknown"),
    ],
)
def test_a_diagnosis_says_how_the_training_ended_if_it_can(tmp_path, text, state):
    (tmp_path / "diagnosis.json").write_text(text)
    assert state_of(tmp_path, None, None) == state


def test_a_loop_whose_instrument_fails_ends_nobody_knows_how(tmp_path, monkeypatch):
    net = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with watch(net, tmp_path, images=False, summary=False) as watcher:
        assert state_of(tmp_path, None, None) == "running"
        for step in range(2):
            loss = net(torch.ones(4, 3)).square().mean()
            loss.backward()
            optimizer.step()
            if step:
                monkeypatch.setattr(watcher._session, "_record", None)
            watcher.step(loss)
    assert watcher.failure
    assert state_of(tmp_path, None, None) == "unknown"
    assert unfinished(tmp_path, lambda: 0).endswith("the training went on without it, after step 0")


def test_a_run_that_has_not_come_to_its_end_is_told_with_its_last_step(tmp_path):
    assert unfinished(tmp_path, lambda: 7) is None
    with RunLock(tmp_path):
        assert unfinished(tmp_path, lambda: 7) == (
            "the run goes on: this is what its steps up to 7 show"
        )
    (tmp_path / "diagnosis.json").write_text('{"state": "interrupted"}')
    assert unfinished(tmp_path, lambda: 7) == "the run was interrupted after step 7"
    (tmp_path / "diagnosis.json").write_text('{"state": "finished"}')
    assert unfinished(tmp_path, lambda: 7) is None
    (tmp_path / NAME).write_text(json.dumps(ENDED.as_json()))
    assert unfinished(tmp_path, lambda: 7).startswith("the run died at step 7: ")


@pytest.mark.slow
@pytest.mark.parametrize(("dies", "state"), [([], "finished"), (["yes"], "interrupted")])
def test_a_program_that_closes_nothing_says_at_its_end_how_it_ended(tmp_path, dies, state):
    command = [sys.executable, "-c", LOOP, str(tmp_path), *dies]
    subprocess.run(command, capture_output=True, timeout=120)
    assert state_of(tmp_path, None, None) == state
