"""Without a GPU: the kernels' logic through Triton's interpreter, their types by compiling them."""

import importlib
from pathlib import Path

import pytest

from tests.measure.cuda.own_process import (
    assert_passes_interpreted,
    in_a_process_of_its_own,
    needs_triton,
)

pytestmark = needs_triton
HERE = Path(__file__).parent


@pytest.mark.rare
@pytest.mark.slow
def test_the_interpreted_kernels_pass_their_tests():
    assert_passes_interpreted(HERE / "interpreted.py")


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
