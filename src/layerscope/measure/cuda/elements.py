"""Elements as the CUDA kernels take them."""

# Triton compiles what follows a `return` without an `else` too.
# ruff: noqa: RET505
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def load(x, at, inside):
    """Elements of a tensor, 0 where not inside: float64 as they are, all others as float32."""
    value = tl.load(x + at, mask=inside, other=0.0)
    if value.dtype == tl.float64:
        return value
    else:
        return value.to(tl.float32)
