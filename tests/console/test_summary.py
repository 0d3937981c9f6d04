import pytest
from rich.cells import cell_len
from rich.console import Console

from layerscope.console.summary import summary
from layerscope.diagnose import RULES, Finding
from layerscope.diagnose.findings import sureness
from tests.made_findings import finding
from tests.runs import HOSTILE


@pytest.fixture(autouse=True)
def no_rule_was_met(monkeypatch):
    """How sure findings are changes with the test programs, and has tests of its own."""
    monkeypatch.setattr(sureness, "_measured", lambda: ({}, 1))


def printed(findings, files="logs/mine", width=200, **run):
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        console.print(summary(findings, files, **run))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_finding_is_its_mark_its_place_its_sentence_and_what_to_type():
    assert printed([finding()]) == [
        "! saturated (2 layers, since step 3): 75 % of the outputs of 01_tanh are",
        "saturated",
        "  → init=kaiming",
        "1 warning · files: logs/mine",
    ]


def test_without_findings_there_is_the_last_line_alone():
    assert printed([]) == ["no finding · files: logs/mine"]


def test_a_run_that_is_too_short_to_judge_its_loss_says_so_where_nothing_else_is_wrong():
    lines = printed([], steps=35, patience=80)
    assert lines[:-1] == ["too short to judge whether the loss falls: 35 of 80 steps"]
    assert len(printed([finding(severity="note")], steps=35, patience=80)) == 5
    assert len(printed([finding()], steps=35, patience=80)) == 4
    assert len(printed([], steps=80, patience=80)) == 1


def test_a_run_that_is_too_short_to_judge_its_layers_says_so_whatever_else_is_wrong():
    lines = printed([finding()], steps=3, patience=80, lasting=5)
    assert lines[-2] == "too short to judge its layers: 3 of 5 steps"
    assert len(printed([finding()], steps=5, patience=80, lasting=5)) == len(lines) - 1


def test_where_the_instrument_failed_no_finding_says_until_when():
    lines = printed([], steps=90, patience=80, failed=True)
    assert lines == ["! what came after step 89 was not judged", "no finding · files: logs/mine"]


def test_the_last_line_counts_as_pytest_does():
    found = [finding(severity=each) for each in ("critical", "warning", "warning", "note")]
    assert printed(found)[-1] == "1 critical, 2 warnings, 1 note · files: logs/mine"


def test_consequences_are_indented_below_their_cause_and_name_it():
    stalled = finding(rule="stalled", severity="critical")
    idle = finding(rule="idle", remedy="", because="stalled")
    lines = printed([stalled, finding(rule="other"), idle])
    heads = [line.partition(" (")[0] for line in lines if " (" in line]
    assert heads == ["✗ stalled", "! other", "  ! idle"]
    assert "because of stalled" in " ".join(lines)


def test_what_to_type_and_how_sure_it_is_are_told_of_the_cause_alone(monkeypatch):
    monkeypatch.setattr(Finding, "how_sure", property(lambda each: f"how sure: {each.rule}"))
    cause, follows = finding(rule="a"), finding(rule="b", because="a")
    lines = printed([cause, follows])
    assert lines[1:3] == ["  → init=kaiming", "  how sure: a"]
    assert lines[3].startswith("  ! b (")
    assert [line for line in lines if "→" in line or "sure: b" in line] == ["  → init=kaiming"]


def test_two_that_name_each_other_are_told_once_each():
    lines = printed([finding(rule="a", because="b"), finding(rule="b", because="a")])
    assert [line.partition(" (")[0] for line in lines if "! " in line] == ["! a", "  ! b"]


@pytest.mark.parametrize(
    ("layers", "place"),
    [(1, "01_tanh"), (2, "01_tanh and 1 more layer"), (9, "01_tanh and 8 more layers")],
)
def test_a_finding_says_where_it_is_and_since_when(layers, place):
    told = finding(layers=layers, explanation="")
    assert printed([told])[0] == f"! saturated ({place}, since step 3):"


def test_a_layer_that_the_sentence_names_is_not_named_twice():
    assert printed([finding(layers=1)])[0].startswith("! saturated (since step 3): 75 %")


@pytest.mark.parametrize("rule", RULES)
def test_a_finding_of_any_rule_is_told_in_two_paragraphs_and_counted(rule):
    assert printed([finding(rule=rule)])[0].startswith(f"! {rule} (")


def test_what_lies_below_the_current_folder_is_told_without_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert printed([], tmp_path / "runs/mine") == ["no finding · files: runs/mine"]


@pytest.mark.parametrize("told_as", [".", "whole"])
def test_the_current_folder_itself_is_told_by_its_whole_name(told_as, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = printed([], tmp_path if told_as == "whole" else told_as)
    assert "".join(lines).replace(" ", "") == f"nofinding·files:{tmp_path}"


def test_without_files_there_is_no_last_line():
    assert printed([], None) == []


def test_a_name_breaks_no_line_and_drives_no_terminal():
    evil = "a\nb\x1b[2J\tc\x07"
    lines = printed([finding(layer=evil, rule=evil, explanation=evil, remedy=evil)])
    assert len(lines) == 3
    assert lines[1] == "  → a b [2J c"


@pytest.mark.parametrize("width", [80, 200])
def test_it_is_at_most_80_columns_wide_and_leaves_nothing_out(width):
    words = "a long sentence with figures " * 20
    lines = printed([finding(explanation=words, remedy=words)], "logs/" + "x" * 200, width)
    assert max(map(cell_len, lines)) <= 80
    whole = "".join("".join(line.split()) for line in lines)
    assert whole.count(words.replace(" ", "")) == 2
    assert "x" * 200 in whole


def test_findings_of_diagnosis_json_look_as_those_of_the_judge():
    assert printed([finding().as_json()]) == printed([finding()])


@pytest.mark.parametrize("name", ["a[red]b[/red]", "x[/]", ":smile:", HOSTILE])
def test_no_markup_is_read_in_names(name):
    whole = "".join(printed([finding(explanation=name, remedy=name)], name))
    assert whole.replace(" ", "").count(name.replace(" ", "")) == 3


def test_harmless_notes_are_one_line_unless_all_are_asked_for():
    found = [
        finding(rule="biased", severity="note", layer="02_relu", harmless=True),
        finding(rule="saturated", severity="note", harmless=True),
        finding(rule="linear_chain", severity="note", remedy=""),
    ]
    lines = printed(found)
    assert lines[-3:] == [
        "· nothing to mend while the loss falls: biased (02_relu), saturated (01_tanh);",
        "`layerscope explain biased` tells more",
        "3 notes · files: logs/mine",
    ]
    assert [line for line in lines[:-3] if "→" in line or "biased" in line] == []
    whole = Console(width=200, no_color=True)
    with whole.capture() as captured:
        whole.print(summary(found, whole=True))
    assert captured.get().count("→") == 2
