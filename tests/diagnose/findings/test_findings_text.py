import math
import re
import warnings
from html import unescape

import pytest

from layerscope.diagnose import Finding
from layerscope.diagnose.findings import sureness
from layerscope.diagnose.findings.findings_text import findings_markdown
from tests.made_findings import finding
from tests.runs import HOSTILE

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # TensorBoard's own copy of html5lib
    from tensorboard.plugin_util import markdown_to_safe_html


@pytest.fixture(autouse=True)
def no_rule_was_met(monkeypatch):
    """How sure findings are changes with the test programs, and has tests of its own."""
    monkeypatch.setattr(sureness, "_measured", lambda: ({}, 1))


def shown(findings):
    """The paragraphs of each list item as TensorBoard's Text tab shows them, tags taken off."""
    html = markdown_to_safe_html(findings_markdown(findings))
    items = re.findall(r"<li>(.*?)</li>", html, re.DOTALL)
    return [
        [unescape(re.sub(r"</?(code|strong)>", "", part)) for part in re.findall("<p>(.*?)</p>", i)]
        for i in items
    ]


def test_tensorboard_shows_an_item_per_finding():
    assert shown([finding(), finding(severity="critical", rule="idle", layers=1, last_step=3)]) == [
        [
            "! warning: saturated in 01_tanh, 2 layers, from step 3, in 10 steps.",
            "75 % of the outputs of 01_tanh are saturated.",
            "To change: init=kaiming",
        ],
        [
            "✗ critical: idle in 01_tanh, from step 3, in 1 step.",
            "75 % of the outputs of 01_tanh are saturated.",
            "To change: init=kaiming",
        ],
    ]


def test_a_consequence_names_its_cause():
    head = shown([finding(because="stalled")])[0][0]
    assert head.endswith("in 10 steps, because of stalled.")


def test_what_to_change_and_how_sure_that_is_are_told_of_the_cause_alone(monkeypatch):
    monkeypatch.setattr(Finding, "how_sure", "how sure: true in 16 of 16 test programs")
    cause, follows = shown([finding(rule="stalled"), finding(because="stalled")])
    assert cause[2:] == ["To change: init=kaiming", "How sure: true in 16 of 16 test programs."]
    assert len(follows) == 2


def test_what_a_finding_lacks_is_left_out():
    bare = finding(layer="", remedy="", value=math.nan, threshold=math.nan)
    assert shown([bare])[0] == [
        "! warning: saturated, 2 layers, from step 3, in 10 steps.",
        "75 % of the outputs of 01_tanh are saturated.",
    ]


def test_the_remedy_is_code():
    assert "<code>init=kaiming</code>" in markdown_to_safe_html(findings_markdown([finding()]))


def test_findings_are_counted_above_the_list():
    words = findings_markdown([finding(), finding(), finding(severity="note")])
    assert words.startswith("**2 warnings, 1 note**\n\n- ")


def test_without_findings_a_sentence_says_so():
    assert findings_markdown([]) == "**no finding**: no rule has anything to say about this run."


@pytest.mark.parametrize(
    "name",
    [
        HOSTILE,
        "a|b",
        "a\\|b",
        "__init__ *x* _y_",
        "[text](http://x)",
        "![image](http://x)",
        "<b>bold</b>",
        "&lt;&#42;&amp;",
        "a`b``c",
        "`",
        "ends in \\",
        "# head",
        "1. one",
        "- item",
        "~~~",
        "http://example.org",
    ],
)
def test_neither_markdown_nor_html_is_read_in_names(name):
    (parts,) = shown([finding(layer=name, rule=name, explanation=name, remedy=name)])
    head, explanation, remedy = parts
    assert head.startswith(f"! warning: {name} in {name}, 2 layers")
    assert (explanation, remedy) == (f"{name}.", f"To change: {name}")


def test_a_name_breaks_no_item():
    ((head, _, remedy),) = shown([finding(layer="a\nb\r\n\nc", remedy="d\ne")])
    assert "in a b   c, 2 layers" in head
    assert remedy == "To change: d e"
