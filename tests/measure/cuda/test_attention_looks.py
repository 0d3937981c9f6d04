"""What the kernel sees of an attention: by Triton's interpreter, compiled, and on a GPU."""

import math

import numpy as np
import pytest
import torch

from layerscope.record.attention.attention_mask import MASKED, AttentionMask
from layerscope.record.attention.heads import HeadSum
from layerscope.record.attention.logits import ONE_TOKEN, heads_of_products
from tests.measure.cuda.own_process import (
    assert_passes_interpreted,
    in_a_process_of_its_own,
    interpreted,
    needs_triton,
    not_interpreted,
)

pytestmark = needs_triton
ON_GPU = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def attention(rows, keys, width, heads=4, groups=4, samples=3, scale=1.0):
    generator = torch.Generator().manual_seed(rows + keys)
    q = scale * torch.randn(samples, heads, rows, width, generator=generator)
    return q, torch.randn(samples, groups, keys, width, generator=generator)


def seen(rows, keys, share=0.6):
    mask = torch.rand(3, 1, rows, keys, generator=torch.Generator().manual_seed(1)) < share
    mask[0, 0, :2] = False  # rows that see nothing
    mask[1, 0, 3] = torch.arange(keys) == 2  # and one that sees one key
    return mask.expand(3, 4, rows, keys)


def added(rows, keys):
    near = -0.1 * (torch.arange(rows)[:, None] - torch.arange(keys)).abs()
    return near.masked_fill(~seen(rows, keys), -1e9)


def with_gaps(q, k):
    q[0, 0, 0, 0], q[1, 1, 2, 0], k[2, 0, 5] = math.nan, math.inf, -math.inf
    return q, k


CASES = {
    "some": (attention(7, 9, 8), [], False),
    "one row": (attention(1, 9, 8), [], False),
    "blocks": (attention(70, 150, 24), [], False),
    "causal": (attention(70, 70, 16), [], True),
    "of itself": (attention(70, 70, 16), [], False),
    "bool": (attention(20, 33, 16), [seen(20, 33)], False),
    "added": (attention(20, 33, 16), [added(20, 33)], False),
    "two masks": (attention(20, 20, 16), [added(20, 20), seen(20, 20, 0.8)], True),
    "groups": (attention(20, 33, 16, groups=2), [], False),
    "sharp": (attention(20, 80, 64, scale=20.0), [], False),
    "not finite": (with_gaps(*attention(20, 33, 16)), [], False),
    "odd width": (attention(20, 33, 19), [], False),
}


def table(q, k, masks, is_causal, exact=True, device="cpu"):
    q, k = q.to(device), k.to(device)
    masks = [each.to(device) for each in masks]
    heads = heads_of_products(
        lambda samples, rows: q[samples, :, rows],
        lambda samples: k[samples],
        (*q.shape[:3], k.shape[2]),
        q.shape[-1] ** -0.5,
        AttentionMask(masks, is_causal),
        exact,
        torch.device(device),
    )
    return heads.table


def assert_same(got, expected, near):
    whole = [HeadSum.ROWS, HeadSum.QUERIES, HeadSum.KEYS, HeadSum.AHEAD, HeadSum.PAIRS]
    assert got[whole].tolist() == expected[whole].tolist()
    assert np.abs(got[HeadSum.ONE] - expected[HeadSum.ONE]).max() <= near * 1e3
    others = [HeadSum.LARGEST, HeadSum.ENTROPY, HeadSum.QUERY, HeadSum.KEY]
    assert np.allclose(got[others], expected[others], rtol=near, atol=near, equal_nan=True)


@interpreted
@pytest.mark.filterwarnings("ignore:invalid value encountered in matmul")  # NumPy's, of infinities
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_the_kernel_sees_what_torch_does(name, exact, monkeypatch):
    from layerscope.measure.cuda.attention_looks import AttentionLooks
    from layerscope.record.attention import logits

    expected = table(*CASES[name][0], *CASES[name][1:], exact)
    kernel = AttentionLooks(ONE_TOKEN, MASKED)
    by_kernel = logits._by_kernel
    monkeypatch.setattr(logits, "_kernel_on", lambda device: kernel)
    monkeypatch.setattr(
        logits, "_by_kernel", lambda *given: by_kernel(*given[:-1], torch.device("cuda"))
    )
    monkeypatch.setattr(kernel, "can_look", lambda k, masks: True)
    assert_same(table(*CASES[name][0], *CASES[name][1:], exact), expected, 1e-5)


@interpreted
def test_what_it_does_not_take_goes_the_other_way():
    from layerscope.measure.cuda.attention_looks import AttentionLooks

    kernel, k = AttentionLooks(ONE_TOKEN, MASKED), torch.zeros(2, 3, 4, 8)
    mask = torch.ones(2, 3, 4, 4, dtype=torch.bool)
    assert kernel.can_look(k, [mask, mask.float()])
    assert not kernel.can_look(k.double(), [])
    assert not kernel.can_look(k[:, :, :0], [])
    assert not kernel.can_look(torch.zeros(2, 3, 4, 65), [])
    assert not kernel.can_look(k, [mask] * 3)
    assert not kernel.can_look(k, [mask.double()])


@pytest.mark.parametrize("name", [pytest.param(name, marks=ON_GPU) for name in CASES])
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_gpu_sees_what_the_cpu_does(name, exact, kind, monkeypatch):
    from layerscope.record.attention import logits

    (q, k), masks, is_causal = CASES[name]
    given = q.to(kind), k.to(kind), masks, is_causal, exact
    expected = table(*given)
    monkeypatch.setattr(logits, "_looks", None)  # which it would need without the kernel
    assert_same(table(*given, device="cuda"), expected, 1e-4)


@not_interpreted
@pytest.mark.rare
@pytest.mark.slow
def test_the_interpreted_kernel_passes_its_tests():
    assert_passes_interpreted(__file__)


_COMPILE = """
import triton.language as tl
from tests.measure.cuda.compile_for_gpu import compiled
from layerscope.measure.cuda import attention_looks as t
numbers = {name: "i32" for name in t._NUMBERS} | {"scale": "fp32", "masked": "fp32"}
for kind in ("fp32", "bf16", "fp16"):
    for how, mask in ((0, "*fp32"), (1, "*i8")):
        tensors = {"q": "*" + kind, "k": "*" + kind, "a": mask, "b": "*fp32", "out": "*fp32"}
        width = t.WIDEST // (4 if kind == "fp32" else 2)
        sizes = {"A": how, "B": 2 * how, "CAUSAL": how == 0, "WIDTH": width, "PADDED": width}
        sizes |= {"ROWS": t.AT_A_TIME, "KEYS": t.KEYS, "ONE_TOKEN": 0.99}
        ptx = compiled(t.look_at_rows, tensors | numbers, sizes, 4, True, num_stages=1)
        assert "mma" in ptx
    print(kind)
"""


@not_interpreted
@pytest.mark.rare
@pytest.mark.slow
def test_the_kernel_compiles_for_a_gpu(tmp_path):
    said = in_a_process_of_its_own("-c", _COMPILE, "80", TRITON_CACHE_DIR=str(tmp_path))
    assert said.split() == ["fp32", "bf16", "fp16"]
