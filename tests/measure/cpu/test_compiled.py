"""The package as some installations have it: no folder that numba could keep its kernels in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import layerscope

_MEASURE = """
import warnings
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    import torch
    from layerscope.measure import Tally
print([str(warning.message) for warning in told if "NUMBA_CACHE_DIR" in str(warning.message)])
from layerscope.measure.cpu import kernel
torch.set_num_threads(1)
tally = Tally(1)
tally.add(0, torch.tensor([1.0, 2.0, 3.0, float("nan")]))
print(tally.read(1).get().moments_of(0).mean, kernel.__file__)
"""


@pytest.fixture
def where_nothing_can_be_written(tmp_path):
    """A copy of the package, in which a file is in the way of each folder that numba would make.

    Permissions would not do: they do not bind root, who runs many a container.
    """
    source = Path(layerscope.__file__).parent
    copy = tmp_path / "site" / "layerscope"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (copy / "measure", copy / "measure" / "cpu"):
        (folder / "__pycache__").write_text("in the way")
    home = tmp_path / "home"
    home.write_text("in the way")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_"))}
    return inherited | {"HOME": str(home), "PYTHONPATH": str(copy.parent)}


def test_without_a_place_for_a_cache_kernels_are_compiled_and_it_is_told_once(
    where_nothing_can_be_written, tmp_path
):
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE],
        env=where_nothing_can_be_written,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told, measured = done.stdout.splitlines()
    assert told.count("found no folder to keep them in") == 1
    mean, file = measured.split()
    assert mean == "2.0"
    assert file.startswith(str(tmp_path))
