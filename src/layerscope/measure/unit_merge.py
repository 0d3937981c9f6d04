"""A step's units as all ranks saw them, and the silences as a checkpoint keeps them."""

from collections.abc import Callable
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
