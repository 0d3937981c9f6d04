import math

import pytest
from rich.cells import cell_len
from rich.console import Console

from layerscope.console.findings_table import findings_table
from layerscope.diagnose import RULES
from tests.made_findings import finding
from tests.runs import HOSTILE


def printed(findings, width=80):
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        console.print(findings_table(findings))
    return captured.get().splitlines()


def test_a_finding_is_one_line_and_its_remedy_the_next():
    assert printed([finding()]) == [
        "Findings: 1 warning",
        "  rule      layer   step layers steps value and limit",
        "! saturated 01_tanh    3      2    10 0.752 > 0.2",
        "    init=kaiming",
    ]


def test_without_findings_one_line_says_so():
    assert printed([]) == ["✓ no finding"]


def test_severities_are_told_apart_by_their_marks_and_counted():
    severities = ["critical", "critical", "warning", "warning", "note", "note"]
    lines = printed([finding(severity=each) for each in severities])
    assert lines[0] == "Findings: 2 critical, 2 warnings, 2 notes"
    assert [line[0] for line in lines[2::2]] == ["✗", "✗", "!", "!", "·", "·"]


def test_findings_keep_their_order():
    lines = printed([finding(rule="b"), finding(rule="a"), finding(rule="c")])
    assert [line.split()[1] for line in lines[2::2]] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("value", "threshold", "told"),
    [
        (0.752, 0.2, "0.752 > 0.2"),
        (5e-6, 0.1, "5e-06 < 0.1"),
        (0.2, 0.2, "0.2 = 0.2"),
        (math.inf, 1.5, "inf > 1.5"),
        (math.nan, 0.2, "nan ≠ 0.2"),
        (2.5, math.nan, "2.5"),
        (math.nan, math.nan, "10"),  # nothing after the number of steps
    ],
)
def test_the_value_stands_beside_its_limit(value, threshold, told):
    line = printed([finding(value=value, threshold=threshold)])[2]
    assert line.endswith(told)


def test_findings_of_diagnosis_json_look_as_those_of_the_judge():
    findings = [finding(), finding(rule="not_measured", value=math.nan, threshold=math.nan)]
    assert printed([each.as_json() for each in findings]) == printed(findings)


@pytest.mark.parametrize("rule", RULES)
def test_a_finding_of_any_rule_fits_80_columns(rule):
    findings = [
        finding(
            rule=rule, step=123456, layers=1000, last_step=9_123_456, layer="12_blocks.3.mlp.fc1",
            value=1.234e-13, threshold=1.5e4, remedy="a smaller optimizer.lr, " * 9,
        )
    ]  # fmt: skip
    for line in printed(findings, 200):
        if line.startswith("!"):
            assert cell_len(line) <= 80
            assert rule in line
            assert "1.23e-13 < 1.5e+04" in line
    assert max(map(cell_len, printed(findings))) <= 80


def test_a_long_name_loses_its_middle_in_the_line_and_none_of_it_below():
    long = "012_encoder.layers.11.attention.out_projection"
    lines = printed([finding(layer=long)])
    assert "012_enc…ection" in lines[2]
    assert lines[3] == f"    {long}: init=kaiming"


@pytest.mark.parametrize("name", ["a[red]b[/red]", "x[/]", "[link=x:y]z", ":smile:", "\\[b]"])
def test_no_markup_is_read_in_names(name):
    lines = printed([finding(layer=name, rule=name, remedy=name)], 200)
    assert lines[2].count(name) == 2
    assert lines[3] == f"    {name}"


def test_a_name_breaks_no_line_and_drives_no_terminal():
    evil = "a\nb\x1b[2J\tc\x07"
    lines = printed([finding(layer=evil, rule=evil, remedy=evil)], 200)
    assert len(lines) == 4
    assert "\x1b" not in "".join(lines)
    assert lines[3] == "    a b [2J c "


def test_columns_stay_aligned_with_wide_characters():
    findings = [finding(layer="01_層層層"), finding(layer="02_tanh")]
    lines = printed(findings)
    assert cell_len(lines[2]) == cell_len(lines[4])
    assert cell_len(printed([finding(layer="01_" + "層" * 30)])[2]) <= 80


def test_a_hostile_name_is_printed_as_it_is():
    assert "".join(line[4:] for line in printed([finding(layer=HOSTILE)], 300)[3:]) == (
        f"{HOSTILE}: init=kaiming"
    )
