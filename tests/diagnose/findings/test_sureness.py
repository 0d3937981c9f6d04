"""How sure a finding is comes from counts, and from nothing else."""

import json
from importlib.resources import files

import pytest

from layerscope.diagnose.findings import sureness as module
from layerscope.diagnose.findings.sureness import (
    Sureness,
    sure_sentence,
    sure_words,
    sureness_from,
    sureness_of,
)
from layerscope.diagnose.rule_page import page_names
from tests.diagnose.programs.program import Program
from tests.diagnose.programs.what_it_was import counted, what_it_was
from tests.made_findings import finding

HEALTHY = 300


def known(monkeypatch, *counts):
    of = dict(zip(("cause", "consequence", "astray", "false"), counts, strict=True))
    content = sureness_from({"rules": {"saturated": of}, "healthy_runs": HEALTHY})
    monkeypatch.setattr(module, "_measured", lambda: content)


def test_the_file_in_the_package_is_of_rules_that_there_are():
    text = (files("layerscope.diagnose.findings") / "sureness.json").read_text(encoding="utf-8")
    rules, healthy = sureness_from(json.loads(text))
    assert set(rules) <= set(page_names())
    assert healthy > 0


def test_of_a_rule_that_was_not_met_nothing_is_said(monkeypatch):
    monkeypatch.setattr(module, "_measured", lambda: ({}, HEALTHY))
    assert sureness_of("idle") is None
    assert sure_words("idle") == ""
    assert (
        sure_sentence("idle")
        == "How sure: not known, as no test program was told of this rule as a cause."
    )
    assert finding(rule="idle").how_sure == ""
    assert finding(rule="idle").as_json()["sure"] is None


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((9, 1, 3, 1), "true in 10 of 14 test programs: the fault in 9, a consequence in 1"),
        ((16, 0, 0, 0), "true in 16 of 16 test programs, each time the fault itself"),
        ((2, 1, 0, 1), "true in 3 of 4 test programs, which are few"),
        ((0, 0, 1, 0), "true in 0 of 1 test program, which are few"),
        ((5, 0, 0, 0), "true in 5 of 5 test programs, each time the fault itself"),
    ],
)
def test_a_line_says_the_share_that_was_true_and_what_it_rests_on(monkeypatch, counts, words):
    known(monkeypatch, *counts)
    assert sureness_of("saturated") == Sureness(*counts)
    assert sure_words("saturated") == words
    assert finding().how_sure == f"how sure: {words}"
    assert len(f"  how sure: {words}") <= 80


def test_a_page_says_all_counts_and_how_many_runs_were_healthy(monkeypatch):
    known(monkeypatch, 9, 1, 3, 1)
    assert sure_sentence("saturated") == (
        "How sure: in faulty test programs this rule was told as a cause 13 times. It was the "
        "fault itself in 9, a consequence of it in 1, and neither in 3. In 300 healthy runs it "
        "was told once."
    )
    known(monkeypatch, 1, 0, 0, 0)
    assert "as a cause once, which is few for a share. It" in sure_sentence("saturated")
    known(monkeypatch, 5, 0, 0, 0)
    assert "few" not in sure_sentence("saturated")
    assert sure_sentence("saturated").endswith("In 300 healthy runs it was told 0 times.")


def test_a_finding_carries_the_counts_and_a_note_none_since_notes_were_not_counted(monkeypatch):
    known(monkeypatch, 1, 0, 2, 0)
    counts = {"cause": 1, "consequence": 0, "astray": 2, "false": 0}
    assert finding(severity="critical").as_json()["sure"] == counts
    assert finding(severity="note").as_json()["sure"] is None
    assert finding(severity="note").how_sure == ""


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ((0, 0, 0, 0), "warnings must be at least 1, got 0"),
        ((-1, 2, 0, 0), "cause must be at least 0, got -1"),
        ((1, 0, 0, -1), "false must be at least 0, got -1"),
    ],
)
def test_counts_that_cannot_be_are_refused(monkeypatch, counts, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        known(monkeypatch, *counts)


def test_a_warning_that_goes_with_the_fault_is_a_consequence_and_else_leads_astray():
    program = Program("input_scale", None, also=("biased: mean",), follows=("class_weights",))

    def was(rule, words="", mended=()):
        return what_it_was(finding(rule=rule, explanation=words), program, mended)

    assert was("input_scale") == was("biased", "of a mean") == "cause"
    assert was("biased") == was("saturated") == was("class_weights") == "consequence"
    assert was("saturated", mended={"saturated"}) == was("one_class") == "astray"


def test_warnings_are_counted_by_rule():
    warned = [("b", "cause", "x"), ("a", "false", "y"), ("b", "cause", "z")]
    assert counted(warned) == {
        "a": {"cause": 0, "consequence": 0, "astray": 0, "false": 1},
        "b": {"cause": 2, "consequence": 0, "astray": 0, "false": 0},
    }
