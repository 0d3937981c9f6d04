"""What the kernel says of an update: by Triton's interpreter, compiled for a GPU, and on one."""

import pytest
import torch

from tests.measure.cuda.own_process import (
    assert_passes_interpreted,
    in_a_process_of_its_own,
    interpreted,
    needs_triton,
    not_interpreted,
)

pytestmark = needs_triton
KINDS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def moved(kind, *shape, by=1e-3):
    """(weights now, before, their gradient): a quarter has no gradient, half of the rest stays."""
    generator = torch.Generator().manual_seed(len(shape) + shape[0])
    before = torch.randn(shape, generator=generator).to(kind)
    gradient = torch.randn(shape, generator=generator).to(kind)
    gradient.flatten()[::4] = 0
    now = before.clone()
    now.flatten()[1::2] += by * gradient.flatten()[1::2]
    return now, before, gradient


def assert_told(device, *parameters):
    from layerscope.measure.cuda.change_norms import ChangeNorms

    norms, there = ChangeNorms(device), [[x.to(device) for x in each] for each in parameters]
    now, before, gradients = zip(*there, strict=True)
    for given in (gradients, [None] * len(now)):
        told = norms(now, before, given).cpu()
        has_16_bits = any(each.element_size() == 2 for each in now)
        assert told.shape == (4 if has_16_bits else 2, len(now))
        for column, (new, old, gradient) in enumerate(parameters):
            expected = [(new.double() - old.double()).norm().item(), old.double().norm().item()]
            if has_16_bits:
                driven = (gradient != 0) if given[column] is not None else torch.zeros(1) > 0
                if new.element_size() != 2:
                    driven = torch.zeros(1) > 0
                lost = driven & (new == old) if driven.any() else driven
                expected += [int(lost.sum()), int(driven.sum())]
            assert told[:, column].tolist() == pytest.approx(expected, rel=1e-12)


@interpreted
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_changes_and_weights_and_what_rounding_left(kind):
    assert_told(torch.device("cpu"), moved(kind, 64, 48), moved(kind, 3), moved(kind, 70, 33))


@interpreted
def test_many_programs_share_a_parameter_and_kinds_are_told_apart(monkeypatch):
    monkeypatch.setattr("layerscope.measure.cuda.change_norms.SHARE", 4096)
    monkeypatch.setattr("layerscope.measure.cuda.change_norms._AT_A_TIME", 8)
    mixed = [moved(kind, 130, 100) for kind in KINDS]
    assert_told(torch.device("cpu"), *mixed, moved(torch.bfloat16, 5, by=0.0))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_tells_the_same():
    mixed = [moved(kind, 1000, 1024) for kind in KINDS]
    assert_told(torch.device("cuda"), *mixed, moved(torch.bfloat16, 7), moved(torch.float32, 3, 5))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_update_on_a_gpu_is_read_as_one_on_the_cpu(kind):
    from layerscope.record.parameters.updates import Updates

    read = []
    for device in ("cpu", "cuda"):
        parts = [torch.nn.Parameter(before.to(device)) for _, before, _ in three(kind)]
        parts[1] = torch.nn.Parameter(parts[1].detach().T)  # in the other order in memory
        updates = Updates(parts)
        updates.begin([True, True, True])
        with torch.no_grad():
            for part, (now, _, gradient) in zip(parts, three(kind), strict=True):
                new, slope = now.to(device), gradient.to(device)
                is_turned = part.shape != new.shape
                part.copy_(new.T if is_turned else new)
                part.grad = slope.T if is_turned else slope
        read.append(updates.end().reading().get())
    assert not updates._copies_changed  # the last one's: read once
    near = {"rel": 1e-6 if kind.itemsize > 2 else 1e-2, "nan_ok": True}
    for figure in ("update", "weight", "lost"):
        assert getattr(read[1], figure).tolist() == pytest.approx(
            getattr(read[0], figure).tolist(), **near
        )


def three(kind):
    return [moved(kind, 64, 48), moved(kind, 40, 30), moved(kind, 3)]


@not_interpreted
@pytest.mark.rare
@pytest.mark.slow
def test_the_interpreted_kernel_passes_its_tests():
    assert_passes_interpreted(__file__)


_COMPILE = """
import triton.language as tl
from tests.measure.cuda.compile_for_gpu import compiled
from layerscope.measure.cuda import change_norms as c
given = {"jobs": "*i64", "parameters": "i32", "sums": "*fp64"}
for kind in (tl.float32, tl.bfloat16, tl.float16, tl.float64):
    sizes = {"KIND": kind, "ALIGNED": True, "COUNTED": kind in (tl.bfloat16, tl.float16)}
    sizes |= {"BLOCK": c.BLOCK, "PROGRAMS": c.PROGRAMS}
    ptx = compiled(c.add_changes, given, sizes, 4, fused=True)
    assert ".ftz" not in ptx  # a subnormal change is a change
    assert "ld.global.v4" in ptx or "ld.global.v2.b64" in ptx  # 16 bytes at a time
    print(kind)
"""


@not_interpreted
@pytest.mark.rare
@pytest.mark.slow
def test_the_kernel_compiles_for_a_gpu(tmp_path):
    said = in_a_process_of_its_own("-c", _COMPILE, "80", TRITON_CACHE_DIR=str(tmp_path))
    assert said.split() == ["fp32", "bf16", "fp16", "fp64"]
