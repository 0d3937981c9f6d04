"""What one launch has to do for each of many tensors, as a table on the device."""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

import torch
import triton
import triton.language as tl
from torch import Tensor

MOST_JOBS = tl.constexpr(512)
"""That a launch has. A program looks at all of them at once to find its own: with a loop for that,
Triton 3.9 no longer sees what lies side by side in the loops after it, and loads one by one."""

T = TypeVar("T")


def launches(jobs: Sequence[T]) -> Iterator[Sequence[T]]:
    """Jobs in as many parts as they need launches."""
    for first in range(0, len(jobs), MOST_JOBS.value):
        yield jobs[first : first + MOST_JOBS.value]


class JobLists:
    """Numbers for launches, by a key; sent again only when they have changed.

    Args:
        device: where they are needed.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._lists: dict[Hashable, tuple[array[int], Tensor]] = {}

    def send(self, key: Hashable, jobs: Sequence[int]) -> Tensor:
        """The numbers of all jobs, one job after the other, as int64 on the device.

        Args:
            key: of a launch whose jobs are mostly the same from step to step.
        """
        numbers = array("q", jobs)
        known = self._lists.get(key)
        if known is not None and known[0] == numbers:
            return known[1]
        on_host = torch.frombuffer(numbers, dtype=torch.int64)
        if self._device.type == "cuda":
            on_host = on_host.pin_memory()  # from torch's cache, which waits for the copy
        sent = on_host.to(self._device, non_blocking=True)  # host to device
        self._lists[key] = numbers, sent
        return sent


@triton.jit
def job_of(program, jobs, number, FIELDS: tl.constexpr, FIRST: tl.constexpr):
    """Which job a program has a share of.

    Args:
        jobs: int64 [number, FIELDS], at most MOST_JOBS; FIRST is a job's first program, ascending
            from 0.
    """
    lane = tl.arange(0, MOST_JOBS)
    first = tl.load(jobs + lane * FIELDS + FIRST, mask=lane < number, other=1 << 40)
    return tl.sum((first <= program).to(tl.int32)) - 1
