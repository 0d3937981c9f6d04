"""What one launch has to do for each of many tensors, as a table on the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton.language as tl
from torch import Tensor

# A tensor of a list: int64 [JOB_FIELDS].
POINTER = tl.constexpr(0)
SIZE = tl.constexpr(1)
ROW = tl.constexpr(2)
FRESH = tl.constexpr(3)
FIRST = tl.constexpr(4)  # of its programs
SHARERS = tl.constexpr(5)  # how many programs it has
JOB_FIELDS = tl.constexpr(6)


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
