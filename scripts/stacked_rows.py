"""A tally for a stack of nets: rows for each, as the instrument has them for a net alone."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from layerscope.diagnose import Figures, LayerFacts
from layerscope.figures.step_figures import StepFigures
from layerscope.lab.mlp import MLP
from layerscope.measure import Tally
from layerscope.measure.cpu.kinds import KINDS
from layerscope.measure.cpu.whole_rows import ADDRESS, INNER, JOB, KIND, ROW, SIZE, UNIT_ROW, UNITS
from layerscope.measure.pending import Pending
from layerscope.measure.reading import CARRIED, Reading
from layerscope.measure.row_options import RowOptions
from layerscope.measure.unit_reading import UnitReading
from layerscope.measure.units import UnitTally
from layerscope.quantity import Quantity
from layerscope.record import Observation, Recorder, choose_layers
from layerscope.record.parameters.update_sums import UpdateReading
from layerscope.session.settings import Settings

SETTINGS = Settings(summary=False, images=False)
_EVERYWHERE = (-math.inf, math.inf)

Norms = tuple[Tensor, Tensor]
"""RMS of the update, and of the weight before it: float64 [parameters, S] each."""


class StackedRows:
    """Measures the layers of a stack of nets, and makes figures of each net.

    Net i's row r is row i * rows + r of one tally; one call measures all of them.

    Args:
        networks: of one shape.
    """

    def __init__(self, networks: Sequence[MLP]) -> None:
        self._plan = plan = Recorder(choose_layers(networks[0]), SETTINGS.options).plan
        self._nets, self._rows = len(networks), len(plan.channels)
        kinds = [output.layer.nonlinearity for output in plan.outputs]
        others = self._rows - len(kinds)  # gradients and weights
        threshold = SETTINGS.saturation_threshold
        beyond = [k.saturated_beyond(threshold) if k else _EVERYWHERE for k in kinds]
        active = [k.active_within(threshold) if k else _EVERYWHERE for k in kinds]
        self._tally = Tally(
            RowOptions(
                self._nets * self._rows,
                [*beyond, *[_EVERYWHERE] * others] * self._nets,
                [*(k.bounds if k else None for k in kinds), *[None] * others] * self._nets,
            )
        )
        self._units = UnitTally(self._nets * len(kinds), active * self._nets, SETTINGS.dead_window)
        self._jobs: dict[Quantity, npt.NDArray[np.int64]] = {}
        self._steps: list[tuple[int, Reading, UnitReading, Norms | None, npt.NDArray[np.float64]]]
        self._steps = []
        self.buckets: list[npt.NDArray[np.float32]] = []

    def measure(self, quantity: Quantity, stacks: Sequence[Tensor]) -> None:
        """Measure a quantity of all layers that have it.

        Args:
            quantity: of the activations the units are watched as well.
            stacks: [S, ...] of each layer, in network order.
        """
        contiguous = [stack.detach().contiguous() for stack in stacks]
        if quantity not in self._jobs:
            self._jobs[quantity] = self._jobs_of(quantity, contiguous)
        jobs, nets = self._jobs[quantity], np.arange(self._nets)
        for place, stack in enumerate(contiguous):
            jobs[:, place, ADDRESS] = stack.data_ptr() + nets * stack[0].nbytes
        self._tally.measure(jobs.ravel().tolist(), self._units.address, whole=True)

    def _jobs_of(self, quantity: Quantity, stacks: Sequence[Tensor]) -> npt.NDArray[np.int64]:
        rows = [row for row, of in enumerate(self._plan.channels) if of.quantity is quantity]
        jobs = np.zeros((self._nets, len(rows), JOB), np.int64)
        jobs[..., ROW] = np.arange(self._nets)[:, None] * self._rows + rows
        jobs[..., UNIT_ROW] = -1
        for place, stack in enumerate(stacks):
            jobs[:, place, KIND], jobs[:, place, SIZE] = KINDS[stack.dtype], stack[0].numel()
            if quantity is Quantity.ACTIVATION:
                for net in range(self._nets):
                    unit_row = net * len(rows) + place
                    _, units, inner = self._units.prepare(unit_row, stack[0], -1)
                    jobs[net, place, [UNIT_ROW, UNITS, INNER]] = unit_row, units, inner
        return jobs

    def end_step(self, step: int, losses: Tensor, norms: Norms | None, keep: bool) -> None:
        """Read what was measured of a step.

        Args:
            step: from 0.
            losses: [S].
            norms: of the updates, where they were measured.
            keep: whether the buckets of the activations are kept: in `buckets`, float32
                [S, outputs, 30, 3].
        """
        reading = self._tally.read(self._tally.rows).get()
        if keep:
            linear = reading.linear.reshape(self._nets, self._rows, *reading.linear.shape[1:])
            self.buckets.append(linear[:, : len(self._plan.outputs)].copy())
        of_rows = Reading(reading.moments, reading.linear[:0], reading.logarithmic[:0])
        units = self._units.read(step).get()
        self._steps.append((step, of_rows, units, norms, losses.double().numpy()))

    def figures(self, net: int, layers: tuple[LayerFacts, ...], lr: float) -> Figures:
        """The figures of one net, by the formulas of the instrument."""
        plan = self._plan
        outputs = len(plan.outputs)
        rows = slice(net * self._rows, (net + 1) * self._rows)
        seen = []
        for step, reading, units, norms, losses in self._steps:
            carried = (float(losses[net]), *[0.0] * (CARRIED - 1))
            own = Reading(reading.moments[rows], reading.linear, reading.logarithmic, carried)
            updates = None
            if norms is not None:
                update, weight = (each[:, net].numpy() for each in norms)
                updates = Pending.at_hand(
                    UpdateReading(update, weight, np.full_like(update, np.nan))
                )
            of_units = units[net * outputs : (net + 1) * outputs]
            seen.append(
                Observation(
                    step, plan.channels, Pending.at_hand(own), Pending.at_hand(of_units), updates,
                    learning_rate=lr,
                )
            )  # fmt: skip
        names = [output.name for output in plan.outputs]
        parameters = [each.channel for each in plan.parameters]
        return StepFigures(layers, plan.channels, names, parameters).of(seen)


def norms_of(before: Sequence[Tensor], after: Sequence[Tensor]) -> Norms:
    """RMS of what a step has changed of each stack [S, ...], and of what was there before."""
    changes = [new - old for new, old in zip(after, before, strict=True)]
    update, weight = (
        torch.stack([each.flatten(1).double().square().mean(1).sqrt() for each in of])
        for of in (changes, before)
    )
    return update, weight
