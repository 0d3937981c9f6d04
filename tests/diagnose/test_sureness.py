"""How sure a finding is comes from counts, and from nothing else."""

import json
from importlib.resources import files

import pytest

from layerscope.diagnose import sureness as module
from layerscope.diagnose.rule_page import page_names
from layerscope.diagnose.sureness import Sureness, sure_sentence, sureness_from, sureness_of


def test_the_file_in_the_package_is_of_rules_that_there_are():
    text = (files("layerscope.diagnose") / "sureness.json").read_text(encoding="utf-8")
    assert set(sureness_from(json.loads(text))) <= set(page_names())


def test_a_rule_without_figures_is_not_measured(monkeypatch):
    monkeypatch.setattr(module, "_measured", dict)
    assert sureness_of("idle") is None
    assert sure_sentence("idle") == "How sure: not measured."


@pytest.mark.parametrize(
    ("right", "found", "words"),
    [(5, 6, "of 6 findings of this rule"), (0, 1, "of 1 finding of this rule")],
)
def test_a_rule_with_figures_says_them(monkeypatch, right, found, words):
    content = sureness_from({"rules": {"idle": {"right": right, "found": found}}})
    monkeypatch.setattr(module, "_measured", lambda: content)
    assert sureness_of("idle") == Sureness(right, found)
    assert (
        sure_sentence("idle")
        == f"How sure: {words} in our test programs, {right} led to the fault."
    )


@pytest.mark.parametrize(
    ("right", "found", "sentence"),
    [
        (0, 0, "found must be at least 1, got 0"),
        (3, 2, "right must be between 0 and 2, got 3"),
        (-1, 2, "right must be between 0 and 2, got -1"),
    ],
)
def test_counts_that_cannot_be_are_refused(right, found, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        sureness_from({"rules": {"idle": {"right": right, "found": found}}})
