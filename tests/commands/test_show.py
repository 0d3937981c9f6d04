"""`layerscope show`, on folders of runs."""

import os
import shutil
from threading import Event, Thread

import torch
from torch import nn

from layerscope.__main__ import main
from layerscope.commands.show import newest_run
from layerscope.events.event_file import EventFile
from layerscope.events.summaries import scalar
from tests.watching import watch_loop


def train(folder):
    """Eight steps of a net whose tanh is saturated."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
    with torch.no_grad():
        net[0].weight.mul_(100)
    watch_loop(net, folder, 8)


def test_the_newest_run_of_a_folder_is_shown_with_its_layers_and_findings(tmp_path, capsys):
    for age, name in enumerate(("new", "old")):
        train(tmp_path / name)
        for file in (tmp_path / name).rglob("*tfevents*"):
            os.utime(file, (1_000 - age, 1_000 - age))
    assert main(["show", str(tmp_path)]) == 0
    newest = capsys.readouterr().out
    assert main(["show", str(tmp_path / "new")]) == 0
    assert newest == capsys.readouterr().out
    assert "Health of every layer" in newest
    assert "saturated (" in newest
    assert newest.replace("\n", "").endswith(f"{tmp_path.name}/new")  # wrapped where it is long


def test_a_folder_without_a_run_is_one_sentence(tmp_path, capsys):
    assert main(["show", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: there is no run in {tmp_path} or below it\n"


def test_event_files_of_another_tool_are_passed_over_or_refused(tmp_path, capsys):
    train(tmp_path / "ours")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "events.out.tfevents.1").write_text("written later")
    assert newest_run(tmp_path) == tmp_path / "ours"
    assert main(["show", str(tmp_path / "other")]) == 2
    told = f"error: no event file (*tfevents*) in {tmp_path}/other\n"
    assert capsys.readouterr().err == told
    with EventFile(tmp_path / "other") as events:
        events.add(0, [scalar("loss", 1.0)])
    assert newest_run(tmp_path) == tmp_path / "ours"
    assert main(["show", str(tmp_path / "other")]) == 2
    told = f"error: the event files in {tmp_path}/other hold no figures of layers\n"
    assert capsys.readouterr().err == told


def test_runs_that_are_removed_meanwhile_are_passed_over(tmp_path):
    still, over = tmp_path / "still", Event()
    still.mkdir()
    (still / "events.out.tfevents.1").touch()

    def come_and_go():
        while not over.is_set():
            for number in range(40):
                (tmp_path / f"gone_{number}").mkdir()
                (tmp_path / f"gone_{number}" / "events.out.tfevents.1").touch()
            for number in range(40):
                shutil.rmtree(tmp_path / f"gone_{number}")

    thread = Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(100):
            newest_run(tmp_path)
    finally:
        over.set()
        thread.join(timeout=60)
