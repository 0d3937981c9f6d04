"""tests/ mirrors src/layerscope/: who knows a package finds its tests."""

import ast
from pathlib import Path

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "src" / "layerscope"

# What tests no one package, and why.
CROSSING = {
    "bench": "benchmarks, beside the package",
    "any_model": "foreign networks, through all of the instrument",
    "test_any_model_doc.py": "the code of docs/any_model.md runs as it stands there",
    "scripts": "what is run by hand beside the package",
    "test_digest_command.py": "layerscope digest, on runs that were trained for it",
    "test_explain_command.py": "layerscope explain",
    "test_day11_notebook.py": "docs/lesson/day11.ipynb runs, with the figures of the course",
    "test_board.py": "a sweep as TensorBoard shows it in a browser",
    "test_diagnose_command.py": "layerscope diagnose, on runs that were trained for it",
    "test_docs_commands.py": "what the pages tell to type",
    "test_docs.py": "pages for contributors",
    "test_findings_of_runs.py": "what a training that is sick leaves in all of its files",
    "test_foreign_hydra_app.py": "somebody else's program, where LayerScope is installed",
    "test_gate.py": ".ci/run and the Makefile",
    "test_light_install.py": "what is imported and said where no extra is installed",
    "test_make_board.py": "the Makefile",
    "test_mirror.py": "this file",
    "test_package.py": "the wheel, in an environment of its own",
    "test_predict_command.py": "layerscope predict, beside train.py",
    "test_readme.py": "the README's commands",
    "test_run_command.py": "layerscope run, on scripts",
    "test_report_command.py": "layerscope report, on a sweep's folder",
    "test_sweep.py": "sweeps as a user types them: train.py, Hydra, launchers",
    "test_sweep_parts.py": "parts of lab/sweep, with the config of train.py",
    "test_reliability_doc.py": "docs/reliability.md",
    "test_waits.py": "the tests themselves",
    "test_train.py": "train.py with every file of conf/",
}


def astray(tests: Path, package: Path, crossing):
    """The test modules, relative to `tests`, whose folder `package` does not have.

    A module right in `tests` is one of a module right in `package`: test_ranks.py of ranks.py.
    """
    for path in sorted(tests.rglob("test_*.py")):
        within = path.relative_to(tests)
        if within.parts[0] in crossing:
            continue
        named = package / path.name.removeprefix("test_")
        if not (named if path.parent == tests else package / within.parent).exists():
            yield within.as_posix()


def test_every_test_module_has_a_folder_of_the_package_or_a_reason():
    assert list(astray(TESTS, PACKAGE, CROSSING)) == []


def test_every_exception_is_there():
    assert [name for name in CROSSING if not (TESTS / name).exists()] == []


def test_a_test_module_of_no_package_is_told_of(tmp_path):
    for name in (
        *("src/ranks.py", "src/measure/cpu/kernel.py", "tests/test_ranks.py", "tests/test_gone.py"),
        *(
            "tests/measure/test_bins.py",
            "tests/measure/cpu/test_kernel.py",
            "tests/crossing/test_a.py",
        ),
        *("tests/show/test_page.py", "tests/measure/gpu/test_kernel.py", "tests/measure/cases.py"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(astray(tmp_path / "tests", tmp_path / "src", {"crossing": "a reason"})) == [
        *("measure/gpu/test_kernel.py", "show/test_page.py", "test_gone.py")
    ]


def imported_within(path):
    """(module, name) that a file's functions import from the package: a test that this machine
    skips would not find out that they are gone."""
    text = path.read_text(encoding="utf-8")
    if "    from layerscope" not in text:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.col_offset and not node.level:
            module = node.module or ""
            if module.partition(".")[0] == PACKAGE.name:
                yield from ((module, each.name) for each in node.names)


def has(module, name):
    """Whether the package's source has a module, and it a module or anything else of that name."""
    place = PACKAGE.parent.joinpath(*module.split("."))
    source = place.with_suffix(".py") if not place.is_dir() else place / "__init__.py"
    if not source.exists():
        return False
    return any((place / f"{name}{end}").exists() for end in ("", ".py")) or any(
        name in (getattr(node, "name", None), getattr(node, "id", None), getattr(node, "asname", 0))
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
    )


def test_what_a_test_imports_within_itself_is_there():
    wanted = {(path, *each) for path in TESTS.rglob("*.py") for each in imported_within(path)}
    assert wanted
    assert [each for each in wanted if not has(*each[1:])] == []


def test_what_is_gone_is_found_to_be_gone():
    assert has("layerscope.record.attention", "logits")
    assert has("layerscope", "watch")
    assert not has("layerscope.record", "logits")
    assert not has("layerscope.no_such_room", "logits")
