"""Every step's observation, written for TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from layerscope.record import Channel, Observation
from layerscope.record.schedule import Schedule, is_keyframe
from layerscope.show.board import describe, describe_log, describe_scalar
from layerscope.show.encoding import HistogramEncoder, ScalarEncoder
from layerscope.show.event_file import EventFile

KEYFRAMES = "keyframes"
"""Folder of the sibling run that repeats the log-spaced steps, which TensorBoard shows whole."""

_HISTOGRAMS_WAITING = 512

_EVENT_BYTES, _HISTOGRAM_BYTES = 40, 388  # around a step's values; of a histogram, without its tag

# Columns of Reading.moments: the fields of Moments in their order.
_COUNT, _, _NAN, _POSITIVE, _NEGATIVE, _OUTSIDE, _MEAN, _DEVIATIONS = range(8)


def bytes_per_step(channels: Sequence[Channel]) -> int:
    """What the record of a step with all these channels takes in an event file, scalars apart."""
    gradients = sum(channel.quantity.endswith("_grad") for channel in channels)
    tags = sum(len(channel.tag) for channel in channels)
    return _EVENT_BYTES + (len(channels) + gradients) * _HISTOGRAM_BYTES + 2 * tags


class StepLog:
    """Writes observations of the same channels: one event record a step, in the run and, at the
    keyframes, in its sibling.

    Observations wait until some hundred histograms or some seconds have come together. Encoding
    them side by side finds code and tables in the processor's cache, where a single step would
    fetch them anew after each training step: a fifth of the time.

    Histograms of every channel that something reached; of gradients also log10 |g|; and, at
    `scalars_due` steps, per layer: `activation_mean`, `activation_std`, `saturated_share` (of a
    bounded activation), and `..._rms` of every gradient.

    Args:
        events: the run's event file; it stays the caller's to close.
        directory: the run's folder.
        channels: all channels, as the recorder has them.
        bounded: names of the layers whose saturated share has a meaning.
        scalars_due: at which steps the scalars are written too.
        note: a sentence for every histogram's description, such as that steps are left out.
        flush_seconds: the longest that an observation waits for the next one to take it along; for
            the keyframes' own file as well.
        clock: seconds since 1970, the wall time of the events; for tests.
    """

    def __init__(
        self,
        events: EventFile,
        directory: str | PathLike[str],
        channels: Sequence[Channel],
        bounded: frozenset[str],
        scalars_due: Schedule,
        note: str = "",
        flush_seconds: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._run = _Stream(events, channels, note)
        keyframes = EventFile(Path(directory) / KEYFRAMES, flush_seconds=flush_seconds)
        self._keyframes = _Stream(keyframes, channels, note)
        self._scalars = _Scalars(channels, bounded)
        self._scalars_due = scalars_due
        self._flush_seconds = flush_seconds
        self._waiting: list[tuple[float, Observation]] = []
        self._most_waiting = 1 + _HISTOGRAMS_WAITING // max(len(channels), 1)

    def write(self, observation: Observation) -> None:
        """Write one step, at the latest with the first that comes `flush_seconds` later."""
        now = self._clock()
        self._waiting.append((now, observation))
        if now - self._waiting[0][0] >= self._flush_seconds:
            self._encode()
            self._run.events.flush()
            self._keyframes.events.flush()
        elif len(self._waiting) >= self._most_waiting:
            self._encode()

    def close(self) -> None:
        """Write what waits, and close the keyframes' file; a second call does nothing."""
        self._encode()
        self._keyframes.events.close()

    def _encode(self) -> None:
        waiting, self._waiting = self._waiting, []
        for wall_time, observation in waiting:
            due = self._scalars_due(observation.step)
            scalars = self._scalars.encode(observation) if due else []
            self._run.write(observation, scalars, wall_time)
            if is_keyframe(observation.step):
                self._keyframes.write(observation, [], wall_time)


class _Stream:
    """Histograms into one event file; each file needs each tag's description once."""

    def __init__(self, events: EventFile, channels: Sequence[Channel], note: str) -> None:
        self.events = events
        self._linear = HistogramEncoder(
            [channel.tag for channel in channels],
            [f"{describe(channel.quantity)} {note}".strip() for channel in channels],
        )
        self._gradients = np.array(
            [i for i, channel in enumerate(channels) if channel.quantity.endswith("_grad")], np.intp
        )
        gradients = [channels[i] for i in self._gradients]
        self._logarithmic = HistogramEncoder(
            [f"{channel.quantity}_log10/{channel.layer}" for channel in gradients],
            [f"{describe_log(channel.quantity)} {note}".strip() for channel in gradients],
        )

    def write(self, observation: Observation, scalars: list[bytes], wall_time: float) -> None:
        reading = observation.reading
        finite = _finite(reading.moments)
        if finite.all():  # each measured value: the common case is spared the picking
            linear = self._linear.encode(reading.linear, range(len(finite)))
            logarithmic = self._logarithmic.encode(reading.logarithmic[self._gradients])
        else:
            shown = np.flatnonzero(finite)
            linear = self._linear.encode(reading.linear[shown], shown.tolist())
            logged = np.flatnonzero(finite[self._gradients])
            rows = self._gradients[logged]
            logarithmic = self._logarithmic.encode(reading.logarithmic[rows], logged.tolist())
        self.events.add(observation.step, [*linear, *logarithmic, *scalars], wall_time)


class _Scalars:
    """Figures of all layers at once, each named `figure/NN_layer`."""

    def __init__(self, channels: Sequence[Channel], bounded: frozenset[str]) -> None:
        def rows(wanted: Callable[[Channel], bool]) -> npt.NDArray[np.intp]:
            return np.array([i for i, c in enumerate(channels) if wanted(c)], np.intp)

        self._activations = rows(lambda c: c.quantity == "activation")
        self._bounded = rows(lambda c: c.quantity == "activation" and c.layer in bounded)
        self._gradients = rows(lambda c: c.quantity.endswith("_grad"))
        named = [
            *(("activation_mean", channels[i]) for i in self._activations),
            *(("activation_std", channels[i]) for i in self._activations),
            *(("saturated_share", channels[i]) for i in self._bounded),
            *((f"{channels[i].quantity}_rms", channels[i]) for i in self._gradients),
        ]
        self._encoder = ScalarEncoder(
            [f"{name}/{channel.layer}" for name, channel in named],
            [describe_scalar(name) for name, _ in named],
        )

    def encode(self, observation: Observation) -> list[bytes]:
        moments = observation.reading.moments
        finite = _finite(moments)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(finite > 0, moments[:, _MEAN], np.nan)
            std = np.sqrt(moments[:, _DEVIATIONS] / (finite - 1))
            rms = np.sqrt(moments[:, _DEVIATIONS] / finite + mean**2)
            outside = moments[:, _OUTSIDE] / moments[:, _COUNT]
        values = np.concatenate(
            [
                mean[self._activations],
                std[self._activations],
                outside[self._bounded],
                rms[self._gradients],
            ]
        )
        known = np.flatnonzero(~np.isnan(values))
        return self._encoder.encode(values[known].astype(np.float32), known.tolist())


def _finite(moments: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Finite elements of each channel."""
    finite: npt.NDArray[np.float64] = moments[:, _COUNT] - (
        moments[:, _NAN] + moments[:, _POSITIVE] + moments[:, _NEGATIVE]
    )
    return finite
