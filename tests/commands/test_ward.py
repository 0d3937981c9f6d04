"""`layerscope ward`, in the terminal and as a page."""

import io

import pytest

from layerscope.__main__ import main
from layerscope.ward.patients import all_patients, ward
from layerscope.ward.text_charts import ASCII, BLOCKS, levels_for, text_charts


def answers(tmp_path, *lines):
    path = tmp_path / "answers.txt"
    path.write_text("\n".join(lines))
    return ["ward", "--seed", "5", "--patients", "3", "--answers", str(path)]


def right(patient):
    return f"{patient.disease} {patient.layer} {patient.step}" if patient.layer else "healthy"


def test_right_answers_have_all_points_and_are_told_the_reasons(tmp_path, capsys):
    nets = ward(5, 3)
    assert main(answers(tmp_path, *map(right, nets))) == 0
    told = capsys.readouterr().out
    assert told.count("3 of 3 points.") == 3
    assert "9 of 9 points, after 3 of 3 patients." in told
    assert all(each.found[:40] in told for each in nets)
    assert "To do:" in told


def test_the_end_of_the_answers_ends_the_round_with_the_score_so_far(tmp_path, capsys):
    assert main(answers(tmp_path, "healthy")) == 0
    assert "0 of 3 points, after 1 of 3 patients." in capsys.readouterr().out


def test_who_types_what_is_no_answer_is_asked_again(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("dunno\nhealthy\n"))
    assert main(["ward", "--seed", "5", "--patients", "3"]) == 0
    told = capsys.readouterr().out
    assert "disease must be one of" in told
    assert "after 1 of 3 patients." in told


def test_ctrl_c_ends_the_round_with_the_score_so_far(monkeypatch, capsys):
    def interrupt(_prompt):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupt)
    assert main(["ward"]) == 0
    assert "0 of 0 points, after 0 of 24 patients." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (["--patients", "0"], "patients must be at least 1, got 0"),
        (["--seed", "-1"], "seed must be at least 0, got -1"),
        (["--page", "/gone/w.html"], "page must be a file to write, got /gone/w.html: No such"),
        (["--answers", "/gone/a.txt"], "answers must be a file, got /gone/a.txt: No such"),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(typed, sentence, capsys):
    assert main(["ward", *typed]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"error: {sentence}")
    assert told.out == ""


def test_an_answer_in_a_file_that_is_none_is_told_with_its_number(tmp_path, capsys):
    assert main(answers(tmp_path, "healthy", "saturated")) == 2
    assert capsys.readouterr().err.startswith("error: answer 2: an answer must be DISEASE LAYER")


def test_charts_fit_80_columns_and_any_console():
    assert (levels_for("utf-8"), levels_for("cp1252"), levels_for(None)) == (BLOCKS, ASCII, ASCII)
    for patient in all_patients()[::4]:
        for levels in (BLOCKS, ASCII):
            lines = list(text_charts(patient, levels))
            assert max(map(len, lines)) <= 80
        assert "\n".join(lines).isascii()


def test_what_is_not_finite_is_marked_from_its_step_on():
    patient = next(each for each in all_patients() if each.disease == "not_finite")
    lines = list(text_charts(patient))
    spread = lines[lines.index("") + 2 :]
    row = next(line for line in spread if line.startswith(patient.layer))
    bars = row[len(max(patient.layers, key=len)) + 1 :]
    assert bars[patient.step - 1 : patient.step + 1].count("!") == 1
    assert bars[patient.step] == "!"


@pytest.mark.browser
@pytest.mark.slow
def test_the_page_scores_an_answer_and_goes_on(tmp_path, chromium, capsys):
    file = tmp_path / "ward.html"
    assert main(["ward", "--seed", "5", "--patients", "2", "--page", str(file)]) == 0
    first, second = ward(5, 2)
    tab = chromium.new_page(viewport={"width": 390, "height": 800})
    errors = []
    tab.on("console", lambda message: errors.append(message.text))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(file.as_uri())
    assert tab.inner_text("#who") == "Patient 1 of 2"
    assert tab.is_disabled("#check")
    charts = tab.inner_html("#charts")
    for patient in (first, second):
        tab.select_option("#disease", patient.disease)
        if patient.layer:
            tab.select_option("#layer", patient.layer)
            tab.fill("#step", str(patient.step))
        tab.click("#check")
        assert "3 of 3 points." in tab.inner_text("#result")
        if patient is first:
            assert first.found in tab.inner_text("#result")
            tab.keyboard.press("Enter")  # the next patient's button has the focus
    assert tab.inner_html("#charts") != charts
    assert "6 of 6 points, after 2 of 2 patients." in tab.inner_text("#score")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert errors == []
    tab.close()
