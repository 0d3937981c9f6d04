"""One step of a network, as data."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from layerscope.measure import Moments
from layerscope.measure.moments import MomentColumn
from layerscope.measure.pending import Pending
from layerscope.measure.reading import Reading
from layerscope.measure.unit_reading import UnitReading
from layerscope.quantity import Quantity
from layerscope.record.channel import Channel
from layerscope.record.look import Look
from layerscope.record.not_finite import NotFinite
from layerscope.record.parameters.update_sums import UpdateReading

# Slots of what travels along with a reading; see `Tally.carry`.
LOSS, SCALE, SQUARED_NORM, CLIPPED_SQUARED_NORM, FOUND_INF, LOSS_OF_RANK_0 = range(6)


def scale_of(carried: Any, ranks: Any) -> Any:
    """The gradient scaler's factor, 1 without one: of what one step carried, or of many at once.

    Args:
        carried: by slot, of one step, a number each; of many, an array [slots, steps].
        ranks: how many processes it was summed over; of many steps [steps].
    """
    scale = carried[SCALE] / ranks
    return scale + (scale == 0)


def loss_of(carried: Any, ranks: Any) -> Any:
    """The micro-batches' losses, added up; the mean over the ranks. Arguments as of `scale_of`."""
    return carried[LOSS] / ranks / scale_of(carried, ranks)


def clip_factor_of(carried: Any) -> Any:
    """Norm of the gradients after clipping / before; NaN if nobody clips."""
    before, after = carried[SQUARED_NORM], carried[CLIPPED_SQUARED_NORM]
    return np.sqrt(after / np.where(before > 0, before, np.nan))


class Observation(NamedTuple):  # one is made of each step: a tuple takes a third of the time
    """What was measured in one optimizer step.

    Attributes:
        step: the optimizer step, from 0, as the x of Lightning's `self.log`.
        channels: what was to be measured in this step.
        reading: moments and buckets of each channel, in the same order; a channel that nothing
            reached has a count of 0. From another device they arrive some steps later: looking at
            them may wait.
        units: of each output that is measured, in their order; None without any.
        updates: of each measured parameter in order; None in a step that was not to be measured so.
        not_finite: of the outputs that were not finite, what their layers were given. Known on the
            CPU only.
        data_finite: whether the data were finite; looked at where an output was not, else None.
        ranks: how many processes' measurements it holds.
        has_loss: whether a loss was noted.
        left_out: whether a gradient scaler left the optimizer's step out, as far as the host knows.
        incomplete: whether training ended in the middle of the step: what came before is there.
        optimizer: which took the step, from 0.
        learning_rate: of its first parameter group; NaN if unknown.
        look: what beside the layers was looked at; None in a step that was not to be.
        monitor_ms: what measuring took of the step, in milliseconds; NaN if it was not timed.
        step_ms: from this step to the next, in milliseconds; NaN if it was not timed.
    """

    step: int
    channels: tuple[Channel, ...]
    reading: Pending[Reading]
    units: Pending[UnitReading] | None = None
    updates: Pending[UpdateReading] | None = None
    not_finite: tuple[NotFinite, ...] = ()
    data_finite: bool | None = None
    ranks: int = 1
    has_loss: bool = True
    left_out: bool = False
    incomplete: bool = False
    optimizer: int = 0
    learning_rate: float = math.nan
    look: Look | None = None
    monitor_ms: float = math.nan
    step_ms: float = math.nan

    @property
    def loss(self) -> float:
        """The micro-batches' losses, added up; the mean over the ranks; 0 if none was noted."""
        return float(loss_of(self.reading.get().carried, self.ranks))

    @property
    def loss_of_output(self) -> float:
        """The loss of rank 0 alone, whose data and output are looked at."""
        carried = self.reading.get().carried
        return carried[LOSS if self.ranks == 1 else LOSS_OF_RANK_0] / self.scale

    @property
    def scale(self) -> float:
        """The gradient scaler's factor; a scaled loss is what backward starts from."""
        return float(scale_of(self.reading.get().carried, self.ranks))

    @property
    def skipped(self) -> bool:
        """Whether a gradient scaler left the optimizer's step out: no update, and no disease."""
        return self.left_out or self.reading.get().carried[FOUND_INF] > 0

    @property
    def is_empty(self) -> bool:
        """Whether no forward and no backward pass has reached anything that is measured."""
        rows = [
            row
            for row, channel in enumerate(self.channels)
            if channel.quantity is Quantity.ACTIVATION or channel.quantity.is_gradient
        ]
        return not self.reading.get().moments[rows, MomentColumn.COUNT].any()

    def moments(self) -> dict[Channel, Moments]:
        """The exact figures of every channel that something reached."""
        found, reading = {}, self.reading.get()
        for position, channel in enumerate(self.channels):
            moments = reading.moments_of(position)
            if moments.count:
                found[channel] = moments
        return found

    def with_rows_from(
        self, first: int, channels: tuple[Channel, ...], reading: Reading
    ) -> Observation:
        """The same observation, with the rows from `first` on taken from another reading.

        Args:
            first: as many rows as both have in common, from the first.
            channels: what all the rows of the other reading hold.
            reading: the other one; waits for its own.
        """
        before = self.reading.get()
        joined = Reading(
            np.concatenate([before.moments[:first], reading.moments[first:]]),
            np.concatenate([before.linear[:first], reading.linear[first:]]),
            np.concatenate([before.logarithmic[:first], reading.logarithmic[first:]]),
            before.carried,
        )
        return self._replace(channels=channels, reading=Pending.at_hand(joined))


def in_units_of_the_loss(
    reading: Pending[Reading],
    channels: Sequence[Channel],
    scaled: Collection[Quantity],
    ranks: int,
    losses: int,
) -> Pending[Reading]:
    """Divide what carries a loss scale, and the activation gradients of ranks, when it arrives.

    Args:
        reading: of these channels, perhaps still on its way: nothing waits for it here.
        scaled: quantities that carry the factor, the SCALE that travels along.
        ranks: how many processes' measurements it holds, which have all added to what it carries.
        losses: how many of them have a loss of their own: activation gradients become those of the
            mean of these losses.
    """
    if not scaled and losses == 1:
        return reading
    of_losses = np.array([c.quantity is Quantity.ACTIVATION_GRAD for c in channels], np.bool_)
    with_scale = np.array([c.quantity in scaled for c in channels], np.bool_)

    def divided(arrived: Reading) -> Reading:
        scale = arrived.carried[SCALE] / ranks or 1.0
        return arrived.scaled(with_scale, 1 / scale).scaled(of_losses, 1 / losses)

    return reading.then(divided)
