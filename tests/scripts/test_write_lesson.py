"""`make lesson`: the page says what the runs measured."""

import json
import re

import pytest

from scripts.write_lesson import EXERCISES, Exercise, lesson, main
from tests.makefile import make


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (["--steps", "few"], "argument --steps: invalid int value: 'few'"),
        (["init=random"], "unrecognized arguments: init=random"),
        (
            ["--folder", "/dev/null/x"],
            "--folder must be one that can be written to, got /dev/null/x: Not a directory",
        ),
    ],
)
def test_what_cannot_be_used_is_told_in_one_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"error: {sentence}\n"


def test_make_lesson_hands_its_arguments_on():
    told = make("-n", "-o", ".venv/can-run", "lesson", "ARGS=--steps 3").stdout
    assert told.strip() == ".venv/bin/python scripts/write_lesson.py --steps 3"


def test_every_exercise_of_the_course_has_runs_and_a_picture():
    assert {run for each in EXERCISES for run in each.runs} >= {
        *(f"init={init}" for init in ("random", "kaiming", "xavier")),
        *(f"{phi}, {n} layers" for phi in ("tanh", "relu", "leaky_relu") for n in (5, 10, 20)),
        "experiment=vanishing",
        "experiment=makemore_part3",
    }


@pytest.mark.slow
def test_the_page_has_the_figures_of_its_runs_and_what_did_not_run(tmp_path, capsys):
    run = ["experiment=notebook", "init=random", "trainer.max_steps=9"]
    refused = ["experiment=notebook", "model.depth=0"]
    shown = Exercise("A title", "the notebook", "Look.", {"it": run, "not": refused}, "histograms")
    page = lesson(tmp_path, [shown], most=3).read_text(encoding="utf-8")
    assert "[2/2] experiment=notebook model.depth=0" in capsys.readouterr().out
    folder = next((tmp_path / "runs").glob("*/01"))
    diagnosis = json.loads((folder / "diagnosis.json").read_text())
    std = [layer["activation"]["std"] for layer in diagnosis["steps"][0]["layers"][1:-1]]
    cells = re.findall("<td[^>]*>(.*?)</td>", page)
    assert cells[0] == "it"
    assert cells[1] == f"{std[0]:.3g} to {std[-1]:.3g}"
    assert json.loads((folder / "status.json").read_text())["steps"] == 3
    assert page.count("data:image/png;base64,") == 1
    assert "not did not run: model.depth must be at least 1, got 0" in page
