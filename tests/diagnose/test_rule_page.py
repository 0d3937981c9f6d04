"""Every rule has a page, whose numbers are the thresholds'."""

from dataclasses import fields
from importlib.resources import files

import pytest

from layerscope.diagnose import RULES, Figures, Symptoms, Thresholds, rule
from layerscope.diagnose import rule_page as module
from layerscope.diagnose.rule_page import HEADINGS, RulePage, page_names, page_of

FOLDER = files("layerscope.diagnose") / "pages"


def test_every_rule_and_every_other_finding_has_a_page():
    assert set(page_names()) == {*RULES, "not_measured", "unexpected"}


def test_every_page_is_of_a_rule():
    assert {file.name for file in FOLDER.iterdir()} == {f"{name}.md" for name in page_names()}


@pytest.mark.parametrize("name", page_names())
def test_a_page_says_something_under_each_heading(name):
    page = page_of(name)
    for field in fields(RulePage):
        assert len(getattr(page, field.name)) > 3, field.name
    assert page.says.endswith(".")
    assert page.remedy.startswith("- ")
    assert page.blind.startswith("- ")
    assert page.example.startswith("    ")
    assert all(page.to_do)
    assert not any("\n" in item for item in page.to_do)


def test_every_threshold_stands_on_a_page():
    text = "".join(file.read_text(encoding="utf-8") for file in FOLDER.iterdir())
    assert [f.name for f in fields(Thresholds) if f"{{{f.name}" not in text] == []


def test_a_page_says_the_thresholds_that_it_is_given():
    assert "Above 10: a warning" in page_of("input_scale").judged
    assert "Above 33: a warning" in page_of("input_scale", Thresholds(input_large=33.0)).judged


def test_a_page_as_markdown_has_its_headings_in_order():
    lines = page_of("idle").markdown().splitlines()
    assert lines[0] == "# idle"
    assert [line[3:] for line in lines if line.startswith("## ")] == list(HEADINGS.values())


def test_a_rule_of_ones_own_has_no_page():
    @rule("of_my_own")
    def of_my_own(figures: Figures, thresholds: Thresholds) -> Symptoms:
        return Symptoms(figures["zeros"])

    try:
        assert "of_my_own" not in page_names()
        with pytest.raises(KeyError, match="of_my_own"):
            page_of("of_my_own")
    finally:
        del RULES["of_my_own"]


def page_in(folder, monkeypatch, text):
    (folder / "idle.md").write_text(text, encoding="utf-8")
    monkeypatch.setattr(module, "_file", lambda rule: folder / f"{rule}.md")
    module._page.cache_clear()
    return page_of("idle", Thresholds(idle_std=0.02))


def test_a_page_that_names_no_threshold_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="field that is no threshold: 'idle_spread'"):
        page_in(tmp_path, monkeypatch, "# idle\n\nBelow {idle_spread}.\n")


def test_a_page_without_a_section_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="must have the sections What it is, Why it matters"):
        page_in(tmp_path, monkeypatch, "# idle\n\nA.\n\n## What it is\nB.\n")
