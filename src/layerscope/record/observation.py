"""One step of a network, as data."""

from __future__ import annotations

import math
from dataclasses import dataclass

from layerscope.measure import Moments
from layerscope.measure.pending import Pending
from layerscope.measure.reading import Reading
from layerscope.measure.unit_reading import UnitReading
from layerscope.record.updates import UpdateReading

# Slots of what travels along with a reading; see `Tally.carry`.
LOSS, SCALE, SQUARED_NORM, CLIPPED_SQUARED_NORM, FOUND_INF = range(5)


@dataclass(frozen=True, slots=True)
class Channel:
    """A quantity of a layer: what one row of the tally holds, and one tag shows.

    Attributes:
        quantity: such as `activation` or `weight_grad`.
        layer: the layer's name.
    """

    quantity: str
    layer: str

    @property
    def is_of_any_scale(self) -> bool:
        """Whether it wants to be seen as log10 of the absolute value too."""
        return self.quantity.endswith(("_grad", "update"))

    @property
    def tag(self) -> str:
        """The tag in TensorBoard, `quantity/NN_layer`."""
        return f"{self.quantity}/{self.layer}"


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What was measured in one optimizer step.

    Attributes:
        step: the optimizer step, from 0, as the x of Lightning's `self.log`.
        channels: what was to be measured in this step.
        reading: moments and buckets of each channel, in the same order; a channel that nothing
            reached has a count of 0. From another device they arrive some steps later: looking at
            them may wait.
        units: of each place where activations are measured, in their order; None without any.
        updates: of each measured parameter in order; None in a step that was not to be measured so.
        inputs_finite: by entry, of outputs that were not finite: whether the inputs were. Known
            on the CPU only.
        ranks: how many processes' measurements it holds.
        has_loss: whether a loss was noted.
        left_out: whether a gradient scaler left the optimizer's step out, as far as the host knows.
        optimizer: which took the step, from 0.
        learning_rate: of its first parameter group; NaN if unknown.
        monitor_ms: what measuring took of the step, in milliseconds; NaN if it was not timed.
        step_ms: from this step to the next, in milliseconds; NaN if it was not timed.
    """

    step: int
    channels: tuple[Channel, ...]
    reading: Pending[Reading]
    units: Pending[UnitReading] | None = None
    updates: Pending[UpdateReading] | None = None
    inputs_finite: tuple[tuple[str, bool], ...] = ()
    ranks: int = 1
    has_loss: bool = True
    left_out: bool = False
    optimizer: int = 0
    learning_rate: float = math.nan
    monitor_ms: float = math.nan
    step_ms: float = math.nan

    @property
    def loss(self) -> float:
        """The micro-batches' losses, added up; the mean over the ranks; 0 if none was noted."""
        carried = self.reading.get().carried
        scale = carried[SCALE] / self.ranks or 1.0  # a scaled loss is what backward starts from
        return carried[LOSS] / self.ranks / scale

    @property
    def skipped(self) -> bool:
        """Whether a gradient scaler left the optimizer's step out: no update, and no disease."""
        return self.left_out or self.reading.get().carried[FOUND_INF] > 0

    @property
    def clip_factor(self) -> float:
        """Norm of the gradients after clipping / before; NaN if nobody clips."""
        carried = self.reading.get().carried
        before, after = carried[SQUARED_NORM], carried[CLIPPED_SQUARED_NORM]
        return math.sqrt(after / before) if before > 0 else math.nan

    def moments(self) -> dict[Channel, Moments]:
        """The exact figures of every channel that something reached."""
        found, reading = {}, self.reading.get()
        for position, channel in enumerate(self.channels):
            moments = reading.moments_of(position)
            if moments.count:
                found[channel] = moments
        return found
