"""docs/lesson/day11.ipynb runs, and measures what the course's notebook prints."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs/lesson/day11.ipynb"
GOLDEN = json.loads((ROOT / "tests/lab/golden_notebook.json").read_text())["schemes"]


def test_the_notebook_is_kept_without_outputs():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


@pytest.mark.slow
def test_the_notebook_runs_and_its_figures_are_the_courses(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient").NotebookClient
    monkeypatch.chdir(tmp_path)  # where the kernel starts
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [each for cell in notebook.cells for each in cell.get("outputs", ())]
    printed = "".join(each.text for each in outputs if each.get("name") == "stdout")
    told = {
        (line, quantity): ast.literal_eval(figures.replace("nan", "None"))
        for line, quantity, figures in re.findall(r"^(\w+)( measured)?: *(\{.*\})$", printed, re.M)
    }
    for key, scheme in (("random", "random"), ("kaiming", "kaiming"), ("xavier", "xavier")):
        golden = [layer["std"] for layer in GOLDEN[scheme]["layers"]]
        std = told[key, "" if scheme == "xavier" else " measured"]
        assert [std[f"0{i}_tanh"] for i in (1, 2, 3)] == pytest.approx(golden, abs=1e-4)
    saturated = [told["saturated", ""][f"0{i}_tanh"] for i in (1, 2, 3)]
    golden = [layer["saturated_099"] for layer in GOLDEN["random"]["layers"]]
    assert saturated == pytest.approx(golden, abs=1e-4)
    shown = [each.data for each in outputs if "text/html" in each.get("data", {})]
    assert len(shown) == 2  # the run, and its view
    for each in shown:
        assert "<b>saturated</b> (3 layers, since step 0)" in each["text/html"]
    assert "data:image/png" in shown[-1]["text/html"]
    assert "saturated (" in shown[-1]["text/plain"]
