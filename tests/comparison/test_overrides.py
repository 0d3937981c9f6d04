"""A config of a run that is no config of a run."""

import pytest

from layerscope.comparison.overrides import loaded_yaml


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "- " * 50_000, "a: " + "{b: " * 120 + "1" + "}" * 120, "a: b: c", "\0"]
)
def test_yaml_that_is_torn_or_nested_without_end_says_nothing_and_ends_no_process(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    assert loaded_yaml(tmp_path / "config.yaml") is None


def test_yaml_that_names_itself_and_a_class_of_python_is_read_or_not_and_never_run(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("seed: 3\na: &a [*a]\n")
    assert loaded_yaml(file)["seed"] == 3
    file.write_text("!!python/object/apply:os.mkdir [made]")
    assert loaded_yaml(file) is None
