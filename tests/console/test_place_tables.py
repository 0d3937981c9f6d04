from rich.console import Console

from layerscope.console.place_tables import place_tables
from tests.made_findings import finding

HEADS = {
    "logit": [3.0, 120.0],
    "entropy": [0.5, None],
    "one_token": [0.25, 0.75],
    "query_rms": [1.0, 2.0],
    "key_rms": [None, None],
}
ADDITION = {
    "stream_rms": 1.5,
    "branch_to_stream": 0.25,
    "outlier_share": 0.0,
    "outlier_channel": None,
}


def printed(diagnosis):
    console = Console(width=80, no_color=True)
    with console.capture() as captured:
        console.print(*place_tables(diagnosis))
    return [line.split() for line in captured.get().splitlines() if line]


def test_a_place_has_a_line_of_its_parts_together_and_its_worst_finding():
    found = finding(rule="attention_collapse", layer="02_block.0/attention", layers=1, step=8)
    steps = [
        {"step": 0, "attention": {"02_block.0/attention": HEADS}},
        {"step": 12, "looked_at": 10, "attention": {"02_block.0/attention": HEADS}},
    ]
    lines = printed({"steps": steps, "findings": [found.as_json()]})
    figures = ["02_block.0/attention", "120", "0.5", "0.5", "0.5", "2", "–"]
    assert [*figures, "–"] in lines
    assert ["step", "10"] in lines
    (told,) = [line for line in lines if "attention_collapse" in line]
    assert told[:7] == figures


def test_a_network_without_such_places_has_no_such_table():
    assert printed({"steps": [{"step": 0}]}) == []
    lines = printed({"steps": [{"step": 0, "stream": {"05_blocks.0/add": ADDITION}}]})
    assert lines[0] == ["Residual", "stream"]
    assert ["05_blocks.0/add", "1.5", "0.25", "0", "–", "–"] in lines
