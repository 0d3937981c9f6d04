"""docs/rules, the table of docs/diagnosis.md and the thresholds of conf/monitor are what
scripts/write_rule_pages.py writes.
"""

import re
import shutil

from layerscope.diagnose.rule_page import page_names
from scripts import write_rule_pages
from scripts.write_rule_pages import CONF, DOCS, PICTURES, main, pages, stale


def test_the_docs_say_what_the_rules_say_today():
    assert not stale(), "type: python scripts/write_rule_pages.py"


def test_what_is_not_current_is_named_with_the_command_that_mends_it(tmp_path, monkeypatch, capsys):
    docs = tmp_path / "docs"
    shutil.copytree(DOCS / "rules", docs / "rules")
    text = (DOCS / "diagnosis.md").read_text(encoding="utf-8")
    (docs / "diagnosis.md").write_text(text.replace("[idle](rules/idle.md)", "idle"))
    (docs / "rules" / "saturated.md").write_text("of yesterday")
    (docs / "rules" / "gone.md").write_text("of a rule that is gone")
    (docs / "rules" / "biased.md").unlink()
    conf = tmp_path / "default.yaml"
    thresholds = CONF.read_text(encoding="utf-8")
    conf.write_text(thresholds.replace("lasting: 5 # measured", "lasting: 6 # measured"))
    monkeypatch.setattr(write_rule_pages, "stale", lambda: stale(docs, conf))
    monkeypatch.setattr("sys.argv", ["write_rule_pages.py", "--check"])
    assert main() == 1
    told = capsys.readouterr().err
    assert "biased.md, default.yaml, diagnosis.md, gone.md, saturated.md" in told
    assert "type: python scripts/write_rule_pages.py" in told
    monkeypatch.setattr("sys.argv", ["write_rule_pages.py"])
    assert main() == 0
    assert not stale(docs, conf)
    assert conf.read_text(encoding="utf-8") == thresholds
    assert (docs / "diagnosis.md").read_text(encoding="utf-8") == text


def test_the_table_has_every_rule():
    text = (DOCS / "diagnosis.md").read_text(encoding="utf-8")
    for name in page_names():
        assert f"[{name}](rules/{name}.md)" in text


def test_every_picture_is_shown_on_its_rules_page():
    drawn = {file.stem for file in (DOCS / "diagnosis").glob("*.png")}
    assert drawn == set(PICTURES)
    written = pages()
    for name in drawn:
        assert f"](../diagnosis/{name}.png)" in written[f"{name}.md"]


def test_the_confusion_table_stands_between_its_markers():
    text = (DOCS / "diagnosis_measured.md").read_text(encoding="utf-8")
    (between,) = re.findall(r"<!-- confusion -->(.*?)<!-- /confusion -->", text, re.DOTALL)
    assert "| rule |" in between
