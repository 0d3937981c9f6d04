"""Elements as the CUDA kernels take them."""

# Triton compiles what follows a `return` without an `else` too.
# ruff: noqa: RET505
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import torch
import triton
import triton.language as tl

KINDS = {
    torch.float32: tl.float32,
    torch.bfloat16: tl.bfloat16,
    torch.float16: tl.float16,
    torch.float64: tl.float64,
}

ALIGNMENT = 16
"""Of addresses, in bytes, and of sizes: Triton then loads several elements at once."""


@triton.jit
def load(x, at, inside, other=0.0):
    """Elements of a tensor, `other` where not inside: float64 as they are, the rest as float32."""
    value = tl.load(x + at, mask=inside, other=other)
    if value.dtype == tl.float64:
        return value
    else:
        return value.to(tl.float32)
