"""How far weights on a CUDA device have moved: one read of what they are and of what they were."""

# Kernels have no Python types. Triton writes compile-time arguments in capitals.
# ruff: noqa: N803
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from layerscope.measure.cuda.current import current
from layerscope.measure.cuda.elements import ALIGNMENT, KINDS, load
from layerscope.measure.cuda.job_list import JobLists, job_of, launches
from layerscope.measure.cuda.launcher import Launcher

# Parameters of a list: int64 [JOB_FIELDS].
NOW = tl.constexpr(0)
BEFORE = tl.constexpr(1)
GRADIENT = tl.constexpr(2)  # 0 where there is none, or nothing to count
SIZE = tl.constexpr(3)
PLACE = tl.constexpr(4)  # in the list
FIRST = tl.constexpr(5)  # of its programs
SHARERS = tl.constexpr(6)  # how many programs it has
JOB_FIELDS = tl.constexpr(7)

CHANGES, WEIGHTS, LOST, DRIVEN = range(4)
SUMS = 4

BLOCK = 4096
"""Elements that a program takes at a time."""

SHARE = 32_768
"""Elements that a program has at least, where there are so many."""

PROGRAMS = 1024
"""Programs that share a parameter at most."""

_AT_A_TIME = 2048
"""Programs of a launch, some."""

_SIXTEEN_BITS = (torch.bfloat16, torch.float16)


@triton.jit(do_not_specialize=["parameters"])
def add_changes(
    jobs,
    parameters,
    sums,
    KIND: tl.constexpr,
    ALIGNED: tl.constexpr,
    COUNTED: tl.constexpr,
    BLOCK: tl.constexpr,
    PROGRAMS: tl.constexpr,
):
    """Sums of squares of changes and of weights, and elements that rounding has left as they were.

    Args:
        jobs: int64 [parameters, JOB_FIELDS]; FIRST ascends from 0; a parameter has at least one
            element.
        sums: float64 [parameters, 4, PROGRAMS]; a program stores in a place of its own.
        KIND: their dtype: float32, bfloat16, float16 or float64.
        ALIGNED: whether every address and size is a multiple of 16.
        COUNTED: whether elements with a gradient are counted, and those of them that did not move.
    """
    program = tl.program_id(0)
    job = jobs + job_of(program, jobs, parameters, JOB_FIELDS, FIRST) * JOB_FIELDS
    now = tl.load(job + NOW).to(tl.pointer_type(KIND))
    before = tl.load(job + BEFORE).to(tl.pointer_type(KIND))
    address, size = tl.load(job + GRADIENT), tl.load(job + SIZE)
    gradient = address.to(tl.pointer_type(KIND))
    if ALIGNED:
        now, before = tl.multiple_of(now, 16), tl.multiple_of(before, 16)
        gradient, size = tl.multiple_of(gradient, 16), tl.multiple_of(size, 16)
    driving = tl.where(address == 0, 0, size)
    share, sharers = program - tl.load(job + FIRST), tl.load(job + SHARERS)
    EACH: tl.constexpr = 128 // KIND.primitive_bitwidth  # noqa: N806
    lane = tl.arange(0, BLOCK // EACH)[:, None] * EACH + tl.arange(0, EACH)[None, :]
    changes = tl.zeros([BLOCK // EACH], tl.float64)
    weights = tl.zeros([BLOCK // EACH], tl.float64)
    lost = tl.zeros([BLOCK // EACH], tl.int32)
    driven = tl.zeros([BLOCK // EACH], tl.int32)
    for start in range(share * BLOCK, size, sharers * BLOCK):
        at = start + lane
        inside = at < size
        was, is_ = load(before, at, inside), load(now, at, inside)
        wide = was.to(tl.float64)
        change = is_.to(tl.float64) - wide
        changes += tl.sum(change * change, 1)
        weights += tl.sum(wide * wide, 1)
        if COUNTED:
            moves = load(gradient, at, at < driving) != 0
            driven += tl.sum(moves.to(tl.int32), 1)
            lost += tl.sum((moves & (was == is_)).to(tl.int32), 1)
    place = sums + tl.load(job + PLACE) * 4 * PROGRAMS + share
    tl.store(place, tl.sum(changes))
    tl.store(place + PROGRAMS, tl.sum(weights))
    if COUNTED:
        tl.store(place + 2 * PROGRAMS, tl.sum(lost.to(tl.float64)))
        tl.store(place + 3 * PROGRAMS, tl.sum(driven.to(tl.float64)))


class ChangeNorms:
    """Launches the kernel for lists of parameters.

    Args:
        device: a CUDA device; the CPU under Triton's interpreter.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._add = Launcher(add_changes)
        self._lists = JobLists(device)

    def compile(self) -> None:
        """Compile it now; raises what Triton raises where it cannot."""
        zeros = torch.zeros(ALIGNMENT, device=self.device)
        self([zeros], [zeros], [None])

    def __call__(
        self, now: Sequence[Tensor], before: Sequence[Tensor], gradients: Sequence[Tensor | None]
    ) -> Tensor:
        """Norms of changes and of weights before, float64 [2, tensors]; [4, tensors] if one of them
        has 16 bits: then also elements with a gradient that are as they were, and those with one.

        Args:
            now, before: lie in memory alike, and fill it; of the floating-point types of `KINDS`.
            gradients: likewise; None where there is none.
        """
        sums = torch.zeros(len(now), SUMS, PROGRAMS, dtype=torch.float64, device=self.device)
        total = sum(each.numel() for each in now)
        share = max(SHARE, total // _AT_A_TIME)
        groups: dict[tuple[torch.dtype, bool], list[tuple[int, ...]]] = {}
        for place, (new, old, gradient) in enumerate(zip(now, before, gradients, strict=True)):
            if not (size := new.numel()):
                continue
            is_counted = gradient is not None and new.dtype in _SIXTEEN_BITS
            slope = gradient.data_ptr() if is_counted and gradient is not None else 0
            is_, was = new.data_ptr(), old.data_ptr()
            aligned = (is_ | was | slope | size) % ALIGNMENT == 0
            job = is_, was, slope, size, place
            groups.setdefault((new.dtype, aligned), []).append(job)
        for (dtype, aligned), group in groups.items():
            for part in launches(group):
                self._launch(dtype, aligned, part, share, sums)
        packed = sums.sum(2).T
        norms = packed[:2].sqrt()
        if any(each.dtype in _SIXTEEN_BITS for each in now):
            return torch.cat([norms, packed[2:]])
        return norms

    def _launch(
        self,
        dtype: torch.dtype,
        aligned: bool,
        group: Sequence[tuple[int, ...]],
        share: int,
        sums: Tensor,
    ) -> None:
        jobs: list[int] = []
        first = 0
        for job in group:
            sharers = min(PROGRAMS, job[SIZE.value] // share) or 1
            jobs += (*job, first, sharers)
            first += sharers
        sent = self._lists.send((dtype, aligned, group[0][PLACE.value]), jobs)
        with current(self.device):
            self._add(
                (dtype, aligned),
                first,
                sent,
                len(group),
                sums,
                KINDS[dtype],
                aligned,
                dtype in _SIXTEEN_BITS,
                BLOCK,
                PROGRAMS,
            )
