"""Without a GPU: the kernels' logic through Triton's interpreter, their types by compiling them."""

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton has no build for this machine"
)
HERE = Path(__file__).parent


def in_a_process_of_its_own(*command, **environment):
    """Triton looks at TRITON_INTERPRET once, when a kernel is defined."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "TRITON_"))}
    done = subprocess.run(
        [sys.executable, *command],
        env=inherited | environment,
        cwd=HERE.parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.rare
@pytest.mark.slow
def test_the_interpreted_kernels_pass_their_tests():
    options = ["-q", "-p", "no:cacheprovider", "-o", "addopts=", "--rootdir", "."]
    said = in_a_process_of_its_own(
        "-m", "pytest", *options, str(HERE / "interpreted.py"), TRITON_INTERPRET="1"
    )
    assert " passed" in said


@pytest.mark.rare
@pytest.mark.slow
@pytest.mark.parametrize("capability", [80])
def test_the_kernels_compile_for_a_gpu(capability, tmp_path):
    said = in_a_process_of_its_own(
        str(HERE / "compile_for_gpu.py"), str(capability), TRITON_CACHE_DIR=str(tmp_path)
    )
    assert said.split() == ["fp32", "bf16", "fp16", "fp64", "read"]


def test_no_constant_of_the_kernels_is_nan():
    """Triton compares constants with what they were, and NaN is not what it was."""
    triton = pytest.importorskip("triton.language")
    folder = HERE.parents[2] / "src" / "layerscope" / "measure" / "cuda"
    for file in folder.glob("*.py"):
        module = importlib.import_module(f"layerscope.measure.cuda.{file.stem}")
        constants = {k: v.value for k, v in vars(module).items() if isinstance(v, triton.constexpr)}
        assert {k: v for k, v in constants.items() if v != v} == {}, file
