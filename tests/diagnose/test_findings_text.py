import re
import warnings
from html import unescape

import pytest

from layerscope.diagnose.findings_text import findings_markdown
from tests.made_findings import finding
from tests.runs import HOSTILE

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # TensorBoard's own copy of html5lib
    from tensorboard.plugin_util import markdown_to_safe_html

HEADS = [
    "", "severity", "rule", "first layer", "first step", "layers", "steps", "value and limit",
    "explanation", "remedy",
]  # fmt: skip


def shown(findings):
    """The cells of each row as TensorBoard's Text tab shows them, tags taken off."""
    html = markdown_to_safe_html(findings_markdown(findings))
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [
        [unescape(re.sub(r"</?code>", "", cell)) for cell in re.findall(r"<t[dh]>(.*?)</t[dh]>", r)]
        for r in rows
    ]


def test_tensorboard_shows_a_row_per_finding():
    assert shown([finding(), finding(severity="critical", rule="idle")]) == [
        HEADS,
        ["!", "warning", "saturated", "01_tanh", "3", "2", "10", "0.752 > 0.2",
         "75 % of the outputs of 01_tanh are saturated", "init=kaiming"],
        ["✗", "critical", "idle", "01_tanh", "3", "2", "10", "0.752 > 0.2",
         "75 % of the outputs of 01_tanh are saturated", "init=kaiming"],
    ]  # fmt: skip


def test_the_remedy_is_in_backticks():
    assert "| `init=kaiming` |" in findings_markdown([finding()])
    assert "<code>init=kaiming</code>" in markdown_to_safe_html(findings_markdown([finding()]))


def test_findings_are_counted_above_the_table():
    words = findings_markdown([finding(), finding(), finding(severity="note")])
    assert words.startswith("**2 warnings, 1 note**\n\n|")


def test_without_findings_a_sentence_says_so():
    assert findings_markdown([]) == "**no finding**: no rule has anything to say about this run."


def test_findings_of_diagnosis_json_read_as_those_of_the_judge():
    assert findings_markdown([finding().as_json()]) == findings_markdown([finding()])


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
    _, row = shown([finding(layer=name, rule=name, explanation=name, remedy=name)])
    assert [row[2], row[3], row[8], row[9]] == [name] * 4
    assert len(row) == len(HEADS)


def test_a_name_breaks_no_row():
    _, row = shown([finding(layer="a\nb\r\n\nc", remedy="d\ne")])
    assert row[3] == "a b   c"
    assert row[9] == "d e"
