"""A step's histograms as values of an event record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from layerscope.events.encoders import HistogramEncoder
from layerscope.measure.reading import Reading
from layerscope.record import Channel
from layerscope.sinks.chart_descriptions import describe_log


class StepHistograms:
    """Encodes a histogram of every channel that something reached; of gradients and updates also
    log10 of the absolute values. For one event file, which needs each tag's description once.

    Args:
        channels: all that is measured.
        note: a sentence for every description.
    """

    def __init__(self, channels: Sequence[Channel], note: str = "") -> None:
        self._linear = HistogramEncoder(
            [channel.tag for channel in channels],
            [f"{channel.quantity.reading_aid} {note}".strip() for channel in channels],
        )
        self._gradients = np.array(
            [i for i, channel in enumerate(channels) if channel.quantity.is_of_any_scale], np.intp
        )
        gradients = [channels[i] for i in self._gradients]
        self._logarithmic = HistogramEncoder(
            [f"{channel.quantity.log10}/{channel.layer}" for channel in gradients],
            [f"{describe_log(channel.quantity)} {note}".strip() for channel in gradients],
        )

    def encode(self, reading: Reading) -> list[bytes]:
        """Encode a step as values for `EventFile.add`; a row may lie beyond the reading's last."""
        finite = reading.finite
        if finite.all():  # each measured value: the common case is spared the picking
            logged = self._gradients[self._gradients < len(finite)]  # updates may not be there
            linear = self._linear.encode(reading.linear, range(len(finite)))
            logarithmic = self._logarithmic.encode(reading.logarithmic[logged], range(len(logged)))
        else:
            shown = np.flatnonzero(finite)
            linear = self._linear.encode(reading.linear[shown], shown.tolist())
            there = self._gradients[self._gradients < len(finite)]
            logged = np.flatnonzero(finite[there])
            rows = there[logged]
            logarithmic = self._logarithmic.encode(reading.logarithmic[rows], logged.tolist())
        return [*linear, *logarithmic]
