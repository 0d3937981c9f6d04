"""`layerscope diagnose RUN_DIR`, as a user types it."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from layerscope import read, watch
from layerscope.__main__ import main
from layerscope.commands.diagnose import judged_again, with_overrides
from layerscope.diagnose import Thresholds
from layerscope.diagnose.measured.figure_names import LAYER_FIGURES, STEP_FIGURES
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.events.event_file import EventFile
from layerscope.events.summaries import scalar
from layerscope.process_identity import ProcessIdentity
from layerscope.run_lock import NAME as LOCK
from layerscope.sinks.figures_event import FiguresEncoder
from tests.usual_step import descend

ROOT = Path(__file__).parents[1]


def train(folder, *, std, steps=60, late=False, **settings):
    """Train a small net in a plain loop; with `late` it calls a further layer from step 20 on."""
    torch.manual_seed(0)
    hidden = [each for _ in range(4) for each in (nn.Linear(32, 32), nn.Tanh())]
    net = nn.ModuleDict({"body": nn.Sequential(*hidden, nn.Linear(32, 8))})
    if late:
        net["late"] = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
    for parameter in net["body"].parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=std)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with watch(net, folder, **settings) as watcher:
        for step in range(steps):
            y = net["body"](torch.randn(64, 32))
            if late and step >= 20:
                y = y + net["late"](y)
            descend(watcher, optimizer, nn.functional.cross_entropy(y, torch.randint(8, (64,))))
    return folder


SICK = {"std": 1.0}
HEALTHY = {"std": 32**-0.5}


@pytest.fixture(scope="module")
def sick(tmp_path_factory):
    return train(tmp_path_factory.mktemp("sick"), **SICK)


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    return train(tmp_path_factory.mktemp("healthy"), **HEALTHY)


def told(capsys, *arguments, code=0):
    """What `--json` prints."""
    capsys.readouterr()  # what a training has printed before
    assert main(["diagnose", *map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def its_own(folder):
    return json.loads((folder / "diagnosis.json").read_text(encoding="utf-8"))


def rewritten(folder, to, change):
    """A copy of a run whose diagnosis.json is changed."""
    shutil.copytree(folder, to)
    content = its_own(folder)
    change(content)
    (to / "diagnosis.json").write_text(json.dumps(content), encoding="utf-8")
    return to


def rules(told):
    return [each["rule"] for each in told["findings"]]


def test_a_sick_run_is_judged_as_it_was(sick, capsys):
    own = its_own(sick)
    assert rules(own) == ["saturated", "overconfident_start"]
    assert told(capsys, sick)["findings"] == own["findings"]


def test_so_is_one_of_a_loss_that_chooses_from_classes(tmp_path, capsys):
    own = its_own(train(tmp_path, classes=8, **SICK))
    assert rules(own) == ["saturated", "overconfident_start"]
    assert told(capsys, tmp_path, "--classes", 8)["findings"] == own["findings"]


def test_a_healthy_run_is_judged_as_it_was(healthy, capsys):
    assert its_own(healthy)["findings"] == []
    assert told(capsys, healthy)["findings"] == []


def test_so_is_a_run_whose_layers_became_more(tmp_path, capsys):
    own = its_own(train(tmp_path, late=True, classes=8, **SICK))
    last = {each["rule"]: each["layer"] for each in own["findings"]}["overconfident_start"]
    assert "late" not in last  # which was the last layer at the end, but not at step 0
    assert told(capsys, tmp_path, "--classes", 8)["findings"] == own["findings"]


def test_so_is_a_run_with_thresholds_of_its_own(tmp_path, capsys):
    thresholds = Thresholds(saturated_bad=0.6, saturated_trained=0.7, saturated_critical=0.8)
    own = its_own(train(tmp_path, thresholds=thresholds, **SICK))
    assert own["findings"][0]["severity"] == "warning"
    again = told(capsys, tmp_path)
    assert again["findings"] == own["findings"]
    assert again["judged_by"]["thresholds"] == asdict(thresholds)


def test_what_the_run_was_judged_by_holds_where_nothing_else_is_said(sick, tmp_path, capsys):
    def change(diagnosis):
        diagnosis["judged_by"] |= {"classes": 8, "switched_off": ["saturated", "my_own_rule"]}

    run = rewritten(sick, tmp_path / "run", change)
    again = told(capsys, run)
    assert rules(again) == ["overconfident_start"]
    assert again["judged_by"]["switched_off"] == ["saturated", "my_own_rule"]
    assert rules(told(capsys, run, "--classes", 4000)) == []


def test_what_no_rule_here_can_find_is_taken_over(sick, tmp_path, capsys):
    def change(diagnosis):
        mine = {"rule": "my_own_rule", "severity": "note", "value": None, "sure": None}
        mine = diagnosis["findings"][0] | mine
        diagnosis["findings"].append(mine)

    run = rewritten(sick, tmp_path / "run", change)
    own = its_own(run)["findings"]
    assert told(capsys, run)["findings"] == own
    assert "my_own_rule" not in rules(told(capsys, run, "--without", "my_own_rule"))


@pytest.mark.parametrize("prefix", ["", "monitor."])
def test_other_thresholds_are_typed_as_for_train_py(sick, capsys, prefix):
    again = told(
        capsys, sick, f"{prefix}thresholds.saturated_critical=1", f"{prefix}thresholds.lasting=3"
    )
    (finding,) = (each for each in again["findings"] if each["rule"] == "saturated")
    assert finding["severity"] == "warning"
    assert again["judged_by"]["thresholds"]["saturated_critical"] == 1
    assert again["judged_by"]["thresholds"]["lasting"] == 3


def test_overrides_may_stand_anywhere(sick, capsys):
    override = "thresholds.saturated_critical=1"
    first = told(capsys, sick, override, "--without", "idle")
    assert told(capsys, "--without", "idle", sick, override) == first
    assert told(capsys, sick, "--without", "idle", override) == first


def test_rules_can_be_left_out(sick, capsys):
    assert rules(told(capsys, sick, "--classes", 8, "--without", "saturated")) == [
        "overconfident_start"
    ]
    both = ("--without", "saturated", "--without", "overconfident_start")
    assert rules(told(capsys, sick, "--classes", 8, *both)) == []


def test_every_threshold_can_be_set():
    for field in fields(Thresholds):
        value = getattr(Thresholds(), field.name)
        got = with_overrides(Thresholds(), [f"thresholds.{field.name}={value}"])
        assert got == Thresholds()
        assert isinstance(getattr(got, field.name), type(value))


def test_the_findings_are_printed_the_cause_first_and_counted(sick, capsys):
    assert main(["diagnose", str(sick)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✗ saturated (")
    of_rule = next(
        i for i, line in enumerate(lines) if line.startswith("  ! overconfident_start (")
    )
    assert "nn.init.xavier_normal_" in "".join(lines[:of_rule])
    assert any(line.startswith("1 critical, 1 warning · files: ") for line in lines)


@pytest.mark.parametrize(
    ("changed", "fail_on", "code"),
    [
        ([], "critical", 4),
        ([], "warning", 4),
        (["thresholds.saturated_critical=1"], "critical", 0),
        (["thresholds.saturated_critical=1"], "warning", 4),
        (["--without", "saturated", "--without", "overconfident_start"], "warning", 0),
    ],
)
def test_fail_on_makes_the_exit_code_4(sick, capsys, changed, fail_on, code):
    told(capsys, sick, *changed, "--fail-on", fail_on, code=code)


def test_a_run_that_goes_on_has_no_diagnosis_yet_and_is_judged_by_the_defaults(
    sick, tmp_path, capsys
):
    for number, content in enumerate((None, "{", "[]", '{"schema": 1, "findings": [{}]}')):
        run = tmp_path / str(number)
        shutil.copytree(sick, run)
        (run / "diagnosis.json").unlink()
        if content is not None:
            (run / "diagnosis.json").write_text(content)
        again = told(capsys, run)
        assert rules(again) == ["saturated", "overconfident_start"]
        assert again["judged_by"]["thresholds"] == asdict(Thresholds())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["saturated_bad=0.3"], "names no threshold; did you mean thresholds.saturated_bad?"),
        (["thresholds.saturated_bda=0.3"], "'thresholds.saturated_bda=0.3' names no threshold"),
        (["lasts=3"], "they are thresholds.NAME=NUMBER, NAME one of lasting, "),
        (["thresholds.saturated_bad"], "thresholds.saturated_bad must be a finite number, got ''"),
        (["thresholds.saturated_bad=much"], "must be a finite number, got 'much'"),
        (["thresholds.saturated_bad=nan"], "must be a finite number, got 'nan'"),
        (["thresholds.exploding_critical=inf"], "must be a finite number, got 'inf'"),
        (["thresholds.lasting=2.5"], "thresholds.lasting must be a whole number, got '2.5'"),
        (["thresholds.lasting=0"], "lasting must be at least 1, got 0"),
        (["thresholds.saturated_bad=1.2"], "saturated_bad must be between 0 and 1, got 1.2"),
        (["thresholds.saturated_bad=0.9"], "saturated_trained must be at least saturated_bad, 0.9"),
        (["--classes", "1"], "classes must be at least 2, got 1"),
        (["--without", "saturatde"], "there is no rule named 'saturatde'; did you mean saturated?"),
    ],
)  # fmt: skip
def test_a_bad_setting_is_one_sentence_and_exit_code_2(sick, capsys, arguments, sentence):
    assert main(["diagnose", str(sick), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert sentence in printed.err


def test_a_folder_that_cannot_be_used_is_one_sentence_and_exit_code_2(sick, tmp_path, capsys):
    empty, theirs, corrupt = (tmp_path / name for name in ("empty", "theirs", "corrupt"))
    empty.mkdir()
    with EventFile(theirs) as events:
        events.add(0, [scalar("loss", 1.0)], 1.0)
    shutil.copytree(sick, corrupt)
    (file,) = corrupt.glob("*tfevents*")
    file.write_bytes(bytes(len(file.read_bytes())))
    for folder, sentence in (
        (tmp_path / "missing", "there is no event file or folder"),
        (empty, "no event file"),
        (theirs, "hold no figures of layers to judge"),
        (corrupt, "is corrupt at byte"),
    ):
        assert main(["diagnose", str(folder)]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        assert sentence in printed.err


@pytest.mark.parametrize("content", ["null", "[]", '{"schema": 3}', '{"steps": [{"layers": 3}]}'])
def test_a_malformed_diagnosis_is_one_of_which_nothing_is_known(sick, tmp_path, capsys, content):
    run = tmp_path / "run"
    shutil.copytree(sick, run)
    (run / "diagnosis.json").write_text(content)
    assert rules(told(capsys, run)) == ["saturated", "overconfident_start"]
    assert main(["show", str(run)]) == 0
    printed = capsys.readouterr()
    assert "1 critical, 1 warning" in printed.out
    assert printed.err == (
        f"{run}/diagnosis.json is torn, or not what a run writes: no layer is shown\n"
    )


def test_of_a_run_that_was_killed_the_step_at_which_it_died_is_told(sick, tmp_path, capsys):
    shutil.copytree(sick, tmp_path / "killed")
    (tmp_path / "killed" / LOCK).write_text(json.dumps(ProcessIdentity.own().as_json()))
    main(["diagnose", str(tmp_path / "killed")])
    assert capsys.readouterr().err.startswith("the run goes on: this is what its steps up to 59")
    ended = replace(ProcessIdentity.own(), started=1)
    (tmp_path / "killed" / LOCK).write_text(json.dumps(ended.as_json()))
    main(["diagnose", str(tmp_path / "killed")])
    assert capsys.readouterr().err.startswith("the run died at step 59: its process has ended")


@pytest.mark.parametrize("at", [0.3, 0.5, 0.8])  # of the file; not in step 0, which has findings
def test_a_flipped_bit_costs_a_step_or_none_and_is_told(sick, tmp_path, caplog, at):
    shutil.copytree(sick, tmp_path / "flipped")
    (file,) = (tmp_path / "flipped").glob("*tfevents*")
    content = bytearray(file.read_bytes())
    content[int(at * len(content))] ^= 1
    file.write_bytes(content)
    (tmp_path / "flipped/diagnosis.json").unlink()
    found, _ = judged_again(tmp_path / "flipped")
    assert f"{file} is damaged from byte " in caplog.text
    assert {each.rule for each in found} == {each.rule for each in judged_again(sick)[0]}
    assert len(read(tmp_path / "flipped").figures.steps) >= len(read(sick).figures.steps) - 1


@pytest.mark.parametrize("arguments", [["--judge"], ["--fail-on", "note"], ["--classes", "many"]])
def test_an_unknown_option_is_refused(sick, arguments):
    with pytest.raises(SystemExit) as refused:
        main(["diagnose", str(sick), *arguments])
    assert refused.value.code == 2


def test_other_commands_take_no_further_arguments(tmp_path):
    with pytest.raises(SystemExit) as refused:
        main(["report", str(tmp_path), "init=kaiming"])
    assert refused.value.code == 2


def test_it_takes_no_pytorch(sick):
    code = (
        "import sys; from layerscope.__main__ import main; "
        f"code = main(['diagnose', {str(sick)!r}]); "
        "sys.exit(code or ('torch' in sys.modules) or ('hydra' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_5000_steps_of_ten_layers_take_less_than_three_seconds_of_the_processor(tmp_path):
    layers = [
        LayerFacts(f"{n:02d}_tanh", str(n), "Tanh", n, "tanh", (-1.0, 1.0), True, last=n == 9)
        for n in range(10)
    ]
    encoder = FiguresEncoder(layers)
    rng = np.random.default_rng(0)
    figures = rng.uniform(0.1, 0.9, (5000, 10, len(LAYER_FIGURES))).astype(np.float32)
    of_steps = np.ones((5000, len(STEP_FIGURES)), np.float32)
    with EventFile(tmp_path) as events:
        for step in range(5000):
            events.add(step, encoder.encode_steps(figures[[step]], of_steps[[step]])[0], 1.0)
    started = time.process_time()
    findings, _ = judged_again(tmp_path)
    assert findings
    assert time.process_time() - started < 3
