"""A step's units as all ranks saw them, whole or in parts, and the silences of a checkpoint."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from layerscope.measure.unit_blocks import ACTIVE, MAXIMUM, MINIMUM, SILENCE, UnitBlocks


def merge_ranks(blocks: UnitBlocks, all_reduce: Callable[[Tensor, str], None]) -> None:
    """Make this step's extremes, activity and samples those of all ranks.

    Args:
        blocks: of this rank; afterwards its step is the same on every rank.
        all_reduce: called three times on every rank, whatever the rank has seen: "max" of int64
            [rows], the units that each row has; "sum" of int64 [rows], the samples; "min" of
            float64 [3, units of all rows], the minima, the negated maxima and the negated flags of
            activity. A row that has another number of units here than the most that any rank knows
            of is started anew with that number: what this rank saw of it cannot be merged.
    """
    device = blocks.samples.device
    agreed = torch.tensor(blocks.units, dtype=torch.int64, device=device)
    all_reduce(agreed, "max")
    for row, units in enumerate(agreed.tolist()):  # device to host: waits for the device
        if units != blocks.units[row]:
            blocks.start(row, units)
    all_reduce(blocks.samples, "sum")

    steps = [torch.empty((3, 0), dtype=torch.float64, device=device)]
    for row in range(len(blocks.units)):
        least, most = blocks.extremes(row)
        steps.append(torch.stack([least, -most, -blocks.counters(row)[0].double()]))
    merged = torch.cat(steps, 1)
    all_reduce(merged, "min")
    for row, step in enumerate(torch.split(merged, blocks.units, 1)):
        blocks.extremes(row)[MINIMUM] = step[0]
        blocks.extremes(row)[MAXIMUM] = -step[1]
        blocks.counters(row)[0] = -step[2].long()


def state_of(blocks: UnitBlocks) -> dict[str, Any]:
    """How long each unit has been silent: {"silences": [int64 [2, units] per row]}, on the CPU.

    What belongs to the step that has not been read yet is left out. Waits for a device.
    """
    rows = range(len(blocks.units))
    return {"silences": [blocks.counters(row)[SILENCE - ACTIVE :].cpu().clone() for row in rows]}


def load_state(blocks: UnitBlocks, state: dict[str, Any]) -> None:
    """Go on from what `state_of` gave, on whatever device.

    Raises:
        ValueError: the state is of another number of rows.
    """
    silences = state["silences"]
    if len(silences) != len(blocks.units):
        raise ValueError(
            f"state must have one entry per row, {len(blocks.units)}, got {len(silences)}"
        )
    for row, silence in enumerate(silences):
        blocks.start(row, silence.shape[1])
        blocks.counters(row)[SILENCE - ACTIVE :] = silence


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
