"""What the pages for contributors say is there is there."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PAGES = ("CONTRIBUTING.md", "docs/course.md", "docs/decisions.md", "docs/glossary.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_to_is_there(page):
    text = (ROOT / page).read_text()
    links = re.findall(r"\]\((?!https:)([^)#]+)\)", text)
    for target in links:
        assert ((ROOT / page).parent / target).exists(), target
    named = re.findall(r"(?:src|conf|docs|tests|bench)/[\w./]*", text)
    for path in (path.rstrip(".") for path in named):
        if path not in links and "NAME." not in path:
            assert (ROOT / path.removesuffix("NAME/")).exists(), path


ARCHITECTURE = (ROOT / "docs/architecture.md").read_text()


def test_the_picture_of_the_rooms_has_all_that_lies_in_the_package():
    picture = ARCHITECTURE.split("```")[1]
    there = [path.name for path in (ROOT / "src/layerscope").glob("[a-z]*")]
    assert [name for name in there if name.removesuffix("/") not in picture] == ["py.typed"]


def test_the_way_of_a_step_names_functions_that_are_there_and_counts_them():
    rows = re.findall(r"^\| \d+ \| `([\w.]+)` \| (\S+\.py) \|", ARCHITECTURE, re.MULTILINE)
    for function, file in rows:
        text = (ROOT / "src/layerscope" / file).read_text()
        for name in function.split("."):
            assert re.search(rf"^ *(?:def|class) {name}\b", text, re.MULTILINE), function
    files = {file for _, file in rows}
    assert f"{len(rows)} functions in {len(files)} files" in ARCHITECTURE


def test_each_name_of_the_python_reference_stands_in_the_file_that_it_names():
    names = re.findall(r"^::: (\S+)$", (ROOT / "docs/api.md").read_text(), re.MULTILINE)
    assert len(names) > 20
    for module, _, name in (each.rpartition(".") for each in names):
        text = (ROOT / "src" / f"{module.replace('.', '/')}.py").read_text()
        assert re.search(rf"^(?:def|class) {name}\b", text, re.MULTILINE), f"{module}.{name}"


COURSE = (ROOT / "docs/course.md").read_text()


def test_the_course_has_every_experiment_that_is_made_for_it():
    told = set(re.findall(r"experiment=(\w+)", COURSE))
    assert told >= {"five_layers", "dead_relu", "notebook", "vanishing", "cure", "makemore_part3"}


def test_a_word_has_one_line_in_the_glossary():
    lines = (ROOT / "docs/glossary.md").read_text().splitlines()
    words = [
        word
        for line in lines
        if line.startswith("- ")
        for word in re.findall(r"\*\*([^*]+)\*\*", line.split(":")[0])
    ]
    assert len(words) > 50
    assert len(words) == len(set(words))


def test_every_decision_says_what_it_would_take_to_change_it():
    _, *decisions = re.split(r"^### ", (ROOT / "docs/decisions.md").read_text(), flags=re.MULTILINE)
    assert decisions
    for decision in decisions:
        assert decision.count("\nTo change it: ") == 1, decision


def test_the_hosted_ci_runs_the_gate_on_every_python_that_the_project_names():
    workflow = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())
    job = workflow["jobs"]["check"]
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    classifiers = [
        name.removeprefix("Programming Language :: Python :: ") for name in PROJECT["classifiers"]
    ]
    assert job["strategy"]["matrix"]["python"] == [name for name in classifiers if name[:2] == "3."]
    assert PROJECT["requires-python"] == f">={job['strategy']['matrix']['python'][0]}"


def test_a_commit_is_checked_by_the_commands_of_make_check():
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^static-check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    commands = [hook["entry"].replace(".venv/bin", "$(BIN)") for hook in hooks]
    assert commands == [line.strip() for line in recipe.splitlines()]


def test_the_licence_is_the_one_that_the_package_names():
    assert PROJECT["license"] == "Apache-2.0"
    for file in PROJECT["license-files"]:
        assert (ROOT / file).is_file(), file
    text = (ROOT / "LICENSE").read_text()
    assert text.split()[:3] == ["Apache", "License", "Version"]
    assert "END OF TERMS AND CONDITIONS" in text
