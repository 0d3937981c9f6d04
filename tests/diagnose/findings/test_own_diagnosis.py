"""What a run has written of its findings, whatever has become of the file."""

import json
from dataclasses import asdict

import pytest

from layerscope.diagnose import Finding, Thresholds
from layerscope.diagnose.findings.own_diagnosis import OwnDiagnosis

FOUND = Finding(
    "saturated", "warning", "01_tanh", 3, 1, 9, 0.4, 0.5, 0.2, "the course", "why", "what",
    ("01_tanh",), (3,), "input_scale",
)  # fmt: skip
CONTENT = {
    "schema": 3,
    "findings": [FOUND.as_json()],
    "judged_by": {
        "thresholds": asdict(Thresholds(lasting=3)),
        "classes": 8,
        "switched_off": ["idle"],
    },
}


def read(folder, content):
    (folder / "diagnosis.json").write_text(json.dumps(content))
    return OwnDiagnosis.read(folder)


def places(node, path=()):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def test_it_is_read_as_it_was_written(tmp_path):
    assert read(tmp_path, CONTENT) == OwnDiagnosis(
        (FOUND,), Thresholds(lasting=3), 8, ("idle",), is_there=True
    )


@pytest.mark.parametrize("wrong", [None, "x", [], {"a": 1}, -1, 2.5, 10**30, [[]]], ids=repr)
def test_wherever_something_wrong_stands_it_is_whole_or_nothing(tmp_path, wrong):
    for path in places(CONTENT):
        content = json.loads(json.dumps(CONTENT))
        node = content
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = wrong
        own = read(tmp_path, content)
        if own.is_there:
            assert own.classes is None or isinstance(own.classes, int)
            assert all(isinstance(each, str) for each in own.switched_off)
            for finding in own.findings:
                assert all(isinstance(name, str) for name in finding.layer_names)
                assert {type(finding.step), type(finding.layers), type(finding.last_step)} == {int}
        else:
            assert own == OwnDiagnosis()
