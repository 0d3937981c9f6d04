"""A step's units where each rank has a part of them: put together for all ranks."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from layerscope.measure.unit_blocks import MAXIMUM, MINIMUM, UnitBlocks


def join(
    whole: UnitBlocks,
    parts: UnitBlocks,
    which: Sequence[tuple[int, int]],
    all_reduce: Callable[[Tensor, str], None],
) -> None:
    """Put what ranks saw of parts of units, in this step, beside each other.

    Ranks that have the same part have seen other samples of it.

    Args:
        whole: of the units of all ranks; afterwards its step is the same on every rank.
        parts: of the units that this rank has; afterwards its step is empty.
        which: by row, (which part, of how many) this rank has.
        all_reduce: called four times on every rank: "max" of int64 [rows], how many parts a row
            has, and then of int64 [all parts], the units of each; "sum" of int64 [rows], the
            samples; "min" as in `unit_merge`. What a rank saw of another number of units than the
            most that any has seen of that part cannot be joined.
    """
    device, rows = parts.samples.device, len(which)
    many = torch.tensor([of for _, of in which], dtype=torch.int64, device=device)
    all_reduce(many, "max")
    of_row = many.tolist()  # device to host: waits for the device
    first = [sum(of_row[:row]) for row in range(rows)]
    sizes = torch.zeros(sum(of_row), dtype=torch.int64, device=device)
    for row, (part, _) in enumerate(which):
        sizes[first[row] + part] = parts.units[row]
    all_reduce(sizes, "max")
    samples = parts.samples.clone()
    for row, (part, _) in enumerate(which):
        if part:  # of the same samples as the first part
            samples[row] = 0
    all_reduce(samples, "sum")

    known = sizes.tolist()
    steps, own = [torch.empty((3, 0), dtype=torch.float64, device=device)], []
    for row, (part, _) in enumerate(which):
        of_parts = known[first[row] : first[row] + of_row[row]]
        step = torch.full((3, sum(of_parts)), math.inf, dtype=torch.float64, device=device)
        step[2] = 0
        if parts.units[row] == of_parts[part]:
            begin = sum(of_parts[:part])
            least, most = parts.extremes(row)
            active = parts.counters(row)[0].double()
            step[:, begin : begin + of_parts[part]] = torch.stack([least, -most, -active])
        steps.append(step)
        own.append(step.shape[1])
    merged = torch.cat(steps, 1)
    all_reduce(merged, "min")
    for row, step in enumerate(torch.split(merged, own, 1)):
        if whole.units[row] != own[row]:
            whole.start(row, own[row])
        whole.extremes(row)[MINIMUM] = step[0]
        whole.extremes(row)[MAXIMUM] = -step[1]
        whole.counters(row)[0] = -step[2].long()
        whole.samples[row] = samples[row]
        parts.start(row, parts.units[row])
