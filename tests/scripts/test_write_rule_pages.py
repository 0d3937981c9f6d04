"""The table of docs/diagnosis.md and the thresholds of conf/monitor are what
scripts/write_rule_pages.py writes.
"""

import re
from pathlib import Path

from layerscope.diagnose.rule_page import page_names, page_of
from scripts import write_rule_pages
from scripts.rule_pages import PICTURES, pages
from scripts.write_rule_pages import CONF, DIAGNOSIS, main, stale

DOCS = Path(DIAGNOSIS).parent


def test_the_docs_say_what_the_rules_say_today():
    assert not stale(), "type: python scripts/write_rule_pages.py"


def test_what_is_not_current_is_named_with_the_command_that_mends_it(tmp_path, monkeypatch, capsys):
    diagnosis, conf = tmp_path / "diagnosis.md", tmp_path / "default.yaml"
    text, thresholds = DIAGNOSIS.read_text(encoding="utf-8"), CONF.read_text(encoding="utf-8")
    diagnosis.write_text(text.replace("| [idle](", "| (", 1))
    conf.write_text(thresholds.replace("lasting: 5 # measured", "lasting: 6 # measured"))
    monkeypatch.setattr(write_rule_pages, "stale", lambda: stale(diagnosis, conf))
    monkeypatch.setattr("sys.argv", ["write_rule_pages.py", "--check"])
    assert main() == 1
    told = capsys.readouterr().err
    assert "default.yaml, diagnosis.md" in told
    assert "type: python scripts/write_rule_pages.py" in told
    monkeypatch.setattr("sys.argv", ["write_rule_pages.py"])
    assert main() == 0
    assert not stale(diagnosis, conf)
    assert conf.read_text(encoding="utf-8") == thresholds
    assert diagnosis.read_text(encoding="utf-8") == text


def test_the_table_has_every_rule_and_each_leads_to_its_page():
    text = DIAGNOSIS.read_text(encoding="utf-8")
    links = dict(re.findall(r"^\| \[(\w+)\]\(([^)]+)\)", text, re.MULTILINE))
    assert list(links) == page_names()
    for name, target in links.items():
        assert (DOCS / target).read_text(encoding="utf-8").startswith(f"# {name}\n")


def test_a_page_of_the_site_has_the_thresholds_values_and_how_sure_the_rule_is():
    page = pages()["idle"]
    assert page.startswith(page_of("idle").markdown())
    assert "A warning below 0.01: " in page
    assert "\nHow sure: " in page


def test_every_picture_is_shown_on_its_rules_page():
    drawn = {file.stem for file in (DOCS / "diagnosis").glob("*.png")}
    assert drawn == set(PICTURES)
    for name in drawn:
        assert f"](../diagnosis/{name}.png)" in pages()[name]


def test_the_confusion_table_stands_between_its_markers():
    text = (DOCS / "diagnosis_measured.md").read_text(encoding="utf-8")
    (between,) = re.findall(r"<!-- confusion -->(.*?)<!-- /confusion -->", text, re.DOTALL)
    assert "| rule |" in between
