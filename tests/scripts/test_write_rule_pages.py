"""docs/rules and the table of docs/diagnosis.md are what scripts/write_rule_pages.py writes."""

import re

import pytest

from layerscope.diagnose.rule_page import page_names
from scripts.write_rule_pages import DOCS, PICTURES, pages, with_table


@pytest.mark.parametrize("name", [f"{name}.md" for name in page_names()])
def test_a_page_in_the_docs_is_the_one_in_the_package(name):
    assert (DOCS / "rules" / name).read_text(encoding="utf-8") == pages()[name]


def test_no_page_is_left_of_a_rule_that_is_gone():
    assert {file.name for file in (DOCS / "rules").iterdir()} == set(pages())


def test_the_table_of_rules_is_current():
    text = (DOCS / "diagnosis.md").read_text(encoding="utf-8")
    assert with_table(text) == text
    for name in page_names():
        assert f"[{name}](rules/{name}.md)" in text


def test_every_picture_is_shown_on_its_rules_page():
    drawn = {file.stem for file in (DOCS / "diagnosis").glob("*.png")}
    assert drawn == set(PICTURES)
    for name in drawn:
        assert f"](../diagnosis/{name}.png)" in pages()[f"{name}.md"]


def test_the_confusion_table_stands_between_its_markers():
    text = (DOCS / "diagnosis.md").read_text(encoding="utf-8")
    (between,) = re.findall(r"<!-- confusion -->(.*?)<!-- /confusion -->", text, re.DOTALL)
    assert "| rule |" in between
