"""One step of a network, as data."""

from __future__ import annotations

from dataclasses import dataclass

from layerscope.measure import Moments
from layerscope.measure.reading import Reading


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
    def tag(self) -> str:
        """The tag in TensorBoard, `quantity/NN_layer`."""
        return f"{self.quantity}/{self.layer}"


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What was measured in one optimizer step.

    Attributes:
        step: the optimizer step, from 0, as the x of Lightning's `self.log`.
        channels: what was to be measured in this step.
        reading: figures and buckets of each channel, in the same order; a channel that nothing
            reached has a count of 0. From another device they arrive some steps later: looking at
            them may wait.
    """

    step: int
    channels: tuple[Channel, ...]
    reading: Reading

    @property
    def loss(self) -> float:
        """Sum of the losses that were noted in this step; 0 if none was."""
        return self.reading.carried[0]

    def moments(self) -> dict[Channel, Moments]:
        """The exact figures of every channel that something reached."""
        found = {}
        for position, channel in enumerate(self.channels):
            moments = self.reading.moments_of(position)
            if moments.count:
                found[channel] = moments
        return found
