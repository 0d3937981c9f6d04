"""What one launch has to do for each of many tensors, as a table on the device."""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

_AT_A_TIME = tl.constexpr(256)
"""Jobs that a program looks at to find its own."""


class JobList:
    """Numbers for a launch; sent again only when they have changed.

    Args:
        device: where they are needed.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._jobs: Sequence[tuple[int, ...]] = ()
        self._sent = torch.empty(0)

    def send(self, jobs: Sequence[tuple[int, ...]]) -> Tensor:
        """The jobs as int64 [jobs, numbers of each] on the device."""
        if jobs != self._jobs:
            on_host = torch.tensor(jobs, dtype=torch.int64)
            if self._device.type == "cuda":
                on_host = on_host.pin_memory()  # from torch's cache, which waits for the copy
            self._sent = on_host.to(self._device, non_blocking=True)  # host to device
            self._jobs = jobs
        return self._sent


@triton.jit
def job_of(program, jobs, number, FIELDS: tl.constexpr, FIRST: tl.constexpr):
    """Which job a program has a share of.

    Args:
        jobs: int64 [number, FIELDS]; FIRST is a job's first program, ascending from 0.
    """
    found = tl.zeros([_AT_A_TIME], tl.int32)
    for start in range(0, number, _AT_A_TIME):
        lane = start + tl.arange(0, _AT_A_TIME)
        first = tl.load(jobs + lane * FIELDS + FIRST, mask=lane < number, other=1 << 40)
        found += (first <= program).to(tl.int32)
    return tl.sum(found) - 1
