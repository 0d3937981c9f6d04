"""A step's histograms as values of an event record."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np

from layerscope.events.encoders import HistogramEncoder
from layerscope.measure.reading import Reading, finite_of
from layerscope.record import Channel
from layerscope.sinks.chart_descriptions import describe_log

_VALUES_TOGETHER = 1 << 11
"""Rows of the steps that are encoded side by side: their bytes pass through four copies of less
than a megabyte. For larger ones the system would have to find memory anew, page by page."""


class StepHistograms:
    """Encodes a histogram of every channel that something reached; of gradients and updates also
    log10 of the absolute values. For one event file, which needs each tag's description once.

    Args:
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

    def encode_steps(self, readings: Sequence[Reading]) -> Iterator[list[bytes | memoryview]]:
        """Encode several steps: of each what `encode` gives, in fewer pieces and a third of the
        time where neighbours hold the same rows and all were reached.

        What was given should be written before the next is asked for: so no more memory is needed
        than a few steps take, and it is the same again and again.
        """
        for rows, alike in groupby(readings, key=lambda reading: len(reading.moments)):
            of_rows = list(alike)
            together = 1 + _VALUES_TOGETHER // max(rows, 1)
            for first in range(0, len(of_rows), together):
                yield from self._encode_alike(rows, of_rows[first : first + together])

    def _encode_alike(
        self, rows: int, readings: list[Reading]
    ) -> Iterator[list[bytes | memoryview]]:
        moments = np.array([reading.moments for reading in readings])
        whole = np.all(finite_of(moments), axis=1)
        for is_whole, pairs in groupby(zip(whole, readings, strict=True), key=itemgetter(0)):
            alike = [reading for _, reading in pairs]
            if is_whole:
                yield from self._encode_whole(rows, alike)
            else:
                for reading in alike:
                    yield [*self.encode(reading)]

    def _encode_whole(self, rows: int, readings: list[Reading]) -> list[list[bytes | memoryview]]:
        logged = self._gradients[self._gradients < rows]
        linear = np.array([reading.linear for reading in readings])
        logarithmic = np.array([reading.logarithmic for reading in readings])[:, logged]
        steps = zip(
            self._linear.encode_steps(linear, range(rows)),
            self._logarithmic.encode_steps(logarithmic, range(len(logged))),
            strict=True,
        )
        return [list(pair) for pair in steps]
