import csv
import io
import json
import math
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from layerscope.comparison import compare, comparison_table, write_comparison
from layerscope.comparison.measures import MEASURES
from layerscope.comparison.overrides import overrides_of
from layerscope.comparison.run_folder import run_of
from layerscope.comparison.snapshots import few
from layerscope.events.event_file import EventFile
from layerscope.events.summaries import scalar
from layerscope.process_identity import ProcessIdentity
from layerscope.sinks.figures_event import FiguresEncoder
from tests import runs
from tests.runs import Made, write_sweep


def console_text(table, width=80):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_runs_are_grouped_by_their_settings_without_the_seed(tmp_path):
    found = compare(write_sweep(tmp_path, ("random", "kaiming"), ("tanh", "relu"), (0, 1)))
    assert [group.label for group in found.groups] == [
        "init=kaiming, model.activation=tanh",
        "init=kaiming, model.activation=relu",
        "init=random, model.activation=tanh",
        "init=random, model.activation=relu",
    ]
    assert all(len(group.runs) == 2 for group in found.groups)
    assert found.loss == "val/loss"
    losses = [group.median("loss") for group in found.groups]
    assert losses == sorted(losses)
    assert found.passed_over == ()


def test_the_estimates_are_the_medians_of_the_runs_measures(tmp_path):
    found = compare(write_sweep(tmp_path, ("kaiming",)))
    (group,) = found.groups
    for name in MEASURES:
        values = [run.measures[name] for run in group.runs]
        np.testing.assert_equal(group.estimates[name].median, np.median(values))
    ends = [json.loads((run.folder / "status.json").read_text())["val/loss"] for run in group.runs]
    assert group.median("loss") == pytest.approx(np.median(ends), rel=1e-3)


def test_the_answer_names_the_best_and_how_certain_that_is(tmp_path):
    first, second = compare(write_sweep(tmp_path)).answer
    assert first.startswith("init=kaiming ends with the lowest val/loss: 2.0")
    assert "(median of 3 seeds); init=random is 0.3" in first
    assert "which is more than the luck of the seeds (95 % interval 0.3" in first
    assert second.startswith("init=kaiming keeps activations and gradients best: on its way back")
    assert "of the outputs saturated" in second
    assert first.count(". ") == second.count(". ") == 0  # one sentence each


def test_groups_that_lie_close_cannot_be_told_apart(tmp_path):
    first, _ = compare(write_sweep(tmp_path, ("kaiming",), ("tanh", "leaky_relu"))).answer
    assert "which cannot be told from the luck of the seeds (95 % interval -0.0" in first


def test_one_seed_each_cannot_tell(tmp_path):
    first, _ = compare(write_sweep(tmp_path, seeds=(0,))).answer
    assert "(one seed)" in first
    assert "whether that is more than the luck of the seed cannot be told from one." in first


def test_a_single_run_is_told_by_its_own_figures(tmp_path):
    folder = Made().write(tmp_path)
    found = compare(folder)
    assert [run.name for run in found.runs] == [folder.name]
    assert found.answer[0] == "No finding: no rule has anything to say about this run."
    assert found.answer[1].startswith(
        f"It ends with a val/loss of {found.groups[0].median('loss'):.4f}. At the start the "
        "gradient stays level toward the input, at a factor of 1.0"
    )


def test_a_single_run_that_has_not_come_to_its_end_is_not_said_to_end(tmp_path):
    folder = Made().write(tmp_path)
    status = json.loads((folder / "status.json").read_text())
    for state, begins in (
        ("running", "It goes on, so far with a val/loss of "),
        ("interrupted", "It was interrupted with a val/loss of "),
    ):
        (folder / "status.json").write_text(json.dumps(status | {"state": state}))
        assert compare(folder).answer[1].startswith(begins)


def test_the_answer_of_one_run_begins_with_its_finding(tmp_path):
    found = compare(Made("random").write(tmp_path))
    assert found.answer[0] == "1 critical: 01_tanh passes no gradient on."


@pytest.mark.parametrize(
    ("severity", "answer"),
    [
        ("warning", "1 critical, 1 warning: A cause."),
        ("note", "1 critical, 1 note: 01_tanh passes no gradient on."),
    ],
)
def test_the_answer_of_one_run_begins_with_the_cause_unless_that_is_a_note(
    tmp_path, severity, answer
):
    run = Made("random").write(tmp_path)
    (worst,) = json.loads((run / "diagnosis.json").read_text())["findings"]
    cause = worst | {"severity": severity, "explanation": "A cause."}
    (run / "diagnosis.json").write_text(
        json.dumps({"schema": 3, "steps": [], "findings": [cause, worst]})
    )
    assert compare(run).answer[0] == answer


def of_scalars(folder, losses, seen=False):
    """A run with figures of layers and these scalars, and with a loss among the figures or not."""
    run = Made(diagnosed=False).write(folder)
    (run / "status.json").unlink()
    for path in run.glob("*tfevents*"):
        path.unlink()
    encoder = FiguresEncoder(Made().layers())
    figures = Made().figures()
    figures["loss"][:] = 1.5 if seen else np.nan
    with EventFile(run) as events:
        for i, step in enumerate(figures.steps.tolist()):
            values = encoder.encode_steps(figures.of_layers[[i]], figures.of_steps[[i]])[0]
            values += [scalar(tag, value) for tag, value in losses.items()]
            events.add(step, values)
    return run


@pytest.mark.parametrize(
    ("scalars", "loss"),
    [
        ({"train/loss": 2.0, "loss": 9.0}, "train/loss"),
        ({"loss": 2.0, "accuracy": 0.5}, "loss"),
        ({"train_loss": 2.0, "lossless": 0.5}, "train_loss"),
        ({"loss_a": 2.0, "loss_b": 3.0}, None),
        ({}, None),
    ],
)
def test_without_a_loss_of_the_usual_name_the_only_one_there_is_counts(tmp_path, scalars, loss):
    found = compare(of_scalars(tmp_path, scalars))
    if loss is None:
        assert found.answer[1].startswith("No loss was logged. At the start the gradient")
    else:
        assert found.loss == loss
        assert found.answer[1].startswith(f"It ends with a {loss} of 2.0000")


def test_without_a_logged_loss_what_backward_started_from_is_the_training_loss(tmp_path):
    found = compare(of_scalars(tmp_path, {}, seen=True))
    assert found.loss == "train/loss"
    assert found.answer[1].startswith("It ends with a train/loss of 1.5000")


def test_failed_runs_stay_in_the_table_and_out_of_the_estimates(tmp_path):
    write_sweep(tmp_path)
    run = tmp_path / "init=kaiming,model.activation=tanh,seed=1"
    status = {"state": "failed", "reason": "ValueError: no", "val/loss": None, "seconds": 1.0}
    run.joinpath("status.json").write_text(json.dumps(status))
    broken = tmp_path / "init=xavier,model.activation=tanh,seed=0"
    broken.mkdir()
    broken.joinpath("status.json").write_text(json.dumps(status))  # before its first step
    found = compare(tmp_path)
    failed = {group.label: (group.failed, group.estimates["loss"].count) for group in found.groups}
    assert failed == {"init=kaiming": (1, 2), "init=random": (0, 3), "init=xavier": (1, 0)}
    assert found.groups[-1].label == "init=xavier"
    assert "1 unfinished" in console_text(comparison_table(found))


def test_a_run_whose_settings_nobody_wrote_down_goes_by_its_name(tmp_path):
    for name in ("first", "second"):
        run = Made().write(tmp_path)
        shutil.rmtree(run / ".hydra")
        (run / "status.json").unlink()
        run.rename(tmp_path / name)
    assert {group.label for group in compare(tmp_path).groups} == {"first", "second"}


def test_the_same_seed_run_twice_counts_once(tmp_path):
    write_sweep(tmp_path / "1", seeds=(0,))
    write_sweep(tmp_path / "2", seeds=(0,))
    found = compare(tmp_path)
    assert [len(group.runs) for group in found.groups] == [2, 2]
    assert [group.estimates["loss"].count for group in found.groups] == [1, 1]
    assert "cannot be told from one" in found.answer[0]


def test_a_training_that_blew_up_comes_last(tmp_path):
    write_sweep(tmp_path, ("kaiming", "xavier"), seeds=(0,))
    blown = Made("random").write(tmp_path)
    for events in blown.glob("*tfevents*"):
        events.unlink()
    from layerscope.events.event_file import EventFile
    from layerscope.events.summaries import scalar

    with EventFile(blown) as file:
        file.add(10, [scalar("val/loss", math.nan)])
    found = compare(tmp_path)
    assert found.groups[-1].label == "init=random"
    assert found.groups[-1].median("loss") == math.inf
    assert "not finite" in console_text(comparison_table(found))


def test_runs_of_other_tools_and_corrupt_ones_are_passed_over_with_a_line(tmp_path):
    write_sweep(tmp_path, seeds=(0,))
    with SummaryWriter(tmp_path / "theirs") as writer:
        writer.add_scalar("loss", 1.0, 0)
    (corrupt,) = tmp_path.glob("init=random*/*tfevents*")
    corrupt.write_bytes(bytes(len(corrupt.read_bytes())))
    found = compare(tmp_path)
    assert [group.label for group in found.groups] == ["init=kaiming, model.activation=tanh"]
    corrupt_line, theirs = found.passed_over
    assert "is corrupt at byte" in corrupt_line
    assert theirs == "theirs: the run of another tool, without figures of layers"


def test_a_torn_run_is_read_as_far_as_it_goes(tmp_path):
    run = Made().write(tmp_path)
    (events,) = run.glob("*tfevents*")
    events.write_bytes(events.read_bytes()[:-100])
    (found,) = compare(tmp_path).runs
    assert found.history.edges[-1] == 59


def test_event_files_alone_are_enough(tmp_path):
    write_sweep(tmp_path, seeds=(0, 1))
    whole = compare(tmp_path)
    for run in whole.runs:
        shutil.rmtree(run.folder / ".hydra")
        (run.folder / "status.json").unlink()
        (run.folder / "diagnosis.json").unlink()
    alone = compare(tmp_path)
    assert [group.label for group in alone.groups] == [group.label for group in whole.groups]
    for a, b in zip(alone.groups, whole.groups, strict=True):
        assert a.median("loss") == pytest.approx(b.median("loss"), rel=1e-6)
        assert a.median("signal_distance") == b.median("signal_distance")
    # The rules judge again what nobody's file tells.
    sick = next(run for run in alone.runs if "random" in run.name)
    assert any(found["rule"] == "saturated" for found in sick.findings)
    assert {run.state for run in alone.runs} == {"unknown"}


def test_keyframes_are_no_runs(tmp_path):
    run = Made().write(tmp_path)
    (events,) = run.glob("*tfevents*")
    (run / "keyframes").mkdir()
    shutil.copy(events, run / "keyframes")
    assert len(compare(tmp_path).runs) == 1


@pytest.mark.parametrize("torn", ["", "{", "[1, 2]", "- a\n b: ["])
def test_torn_files_beside_the_events_are_as_good_as_none(tmp_path, torn):
    run = Made().write(tmp_path)
    for name in ("status.json", "diagnosis.json", ".hydra/overrides.yaml", ".hydra/config.yaml"):
        (run / name).write_text(torn)
    (found,) = compare(tmp_path).runs
    assert found.state == "unknown"


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no run of LayerScope in "):
        compare(tmp_path)
    with pytest.raises(NotADirectoryError, match=r"there is no folder .*missing"):
        compare(tmp_path / "missing")


def test_overrides_come_from_hydra_the_status_or_the_folders_name(tmp_path):
    run = tmp_path / "init=xavier,model.widths=[4,2],seed=3"
    (run / ".hydra").mkdir(parents=True)
    expected = {"init": "xavier", "model.widths": "[4,2]", "seed": "3"}
    assert overrides_of(run) == expected
    assert overrides_of(run, ["init=lecun"]) == {"init": "lecun"}
    (run / ".hydra" / "overrides.yaml").write_text("- +init=kaiming\n- sweep.resume=true\n")
    assert overrides_of(run, ["init=lecun"]) == {"init": "kaiming"}
    assert overrides_of(tmp_path) is None


def test_the_files_say_what_the_comparison_says(tmp_path):
    found = compare(write_sweep(tmp_path))
    write_comparison(found, tmp_path)
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert content["schema"] == 1
    assert content["answer"] == list(found.answer)
    assert content["groups"][1]["behind_best"]["certain"] is True
    assert content["groups"][0]["measures"]["first_finding"]["median"] is None  # none was found
    assert content["groups"][0]["measures"]["first_finding"]["count"] == 3
    assert len(content["runs"]) == 6
    rows = list(csv.DictReader((tmp_path / "comparison.csv").read_text().splitlines()))
    assert [row["group"] for row in rows] == ["init=kaiming", "init=random"]
    assert float(rows[1]["loss"]) == pytest.approx(found.groups[1].median("loss"), rel=1e-5)
    assert rows[0]["first_finding"] == "inf"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_spreadsheet_runs_no_formula_from_a_config(tmp_path):
    for seed in (0, 1):
        run = Made(seed=seed).write(tmp_path)
        (run / ".hydra" / "overrides.yaml").write_text(f'- "=cmd()|{seed}"\n')
    write_comparison(compare(tmp_path), tmp_path)
    rows = list(csv.DictReader((tmp_path / "comparison.csv").read_text().splitlines()))
    assert all(row["group"].startswith("'=") for row in rows)


def test_the_table_fits_80_columns_and_says_how_little_three_seeds_tell(tmp_path, monkeypatch):
    monkeypatch.setitem(runs._LOSS, "random", 17_070.0)
    text = console_text(
        comparison_table(compare(write_sweep(tmp_path, activations=("tanh", "relu"))))
    )
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    words = " ".join(text.split())
    assert "of 3 seeds such an interval holds the true median in 75% of cases at most" in words


@pytest.mark.parametrize("last", [0, 1, 5, 40, 100_000])
def test_a_few_steps_begin_with_the_first_and_end_with_the_last(last):
    shown = few(np.arange(last + 1)).tolist()
    assert shown[0] == 0
    assert shown[-1] == last
    assert shown == sorted(set(shown))
    assert len(shown) <= 12


def test_a_run_whose_process_was_killed_has_died_at_its_last_step(tmp_path):
    write_sweep(tmp_path, seeds=(0,))
    (job, *_) = sorted(path.parent for path in tmp_path.glob("*/status.json"))
    status = json.loads((job / "status.json").read_text())
    own = ProcessIdentity.own()
    ended = ProcessIdentity(own.pid, own.started - 1, own.boot, own.host)
    for process, state in ((own, "running"), (ended, "died")):
        told = status | {"state": "running", "reason": None, "process": process.as_json()}
        (job / "status.json").write_text(json.dumps(told))
        run = run_of(job, "a")
        assert run.state == state
    assert re.fullmatch(r"died at step \d+: its process has ended without a word", run.reason)


def test_of_very_many_groups_the_terminal_gets_the_first_hundred(tmp_path):
    group = compare(write_sweep(tmp_path))
    many = replace(group, groups=group.groups[:1] * 1167)
    lines = console_text(comparison_table(many)).splitlines()
    assert sum(line.strip().startswith(("99 ", "100 ", "101 ", "1167 ")) for line in lines) == 2
    assert "These are the first 100 of 1,167: the page has all." in " ".join(map(str.strip, lines))
