"""Every step's observation, written for TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.figures import LAYER_FIGURES, STEP_FIGURES, Array, Figures
from layerscope.events.encoders import HistogramEncoder, ScalarEncoder
from layerscope.events.event_file import EventFile
from layerscope.record import Channel, Observation
from layerscope.record.schedule import Schedule, is_keyframe
from layerscope.session.step_figures import Observed
from layerscope.sinks.chart_descriptions import describe, describe_log, describe_scalar
from layerscope.sinks.figures_event import FiguresEncoder

KEYFRAMES = "keyframes"
"""Folder of the sibling run that repeats the log-spaced steps, which TensorBoard shows whole."""

_HISTOGRAMS_WAITING = 1024

_EVENT_BYTES = 120  # around a step's values, and around its figures
_HISTOGRAM_BYTES = 388  # without its tag

# Columns of Reading.moments: the fields of Moments in their order.
_COUNT, _, _NAN, _POSITIVE, _NEGATIVE, _, _MEAN, _DEVIATIONS = range(8)


def bytes_per_step(channels: Sequence[Channel]) -> int:
    """What the record of a step with all these channels takes in an event file, scalars apart."""
    logged = sum(channel.is_of_any_scale for channel in channels)
    tags = sum(len(channel.tag) for channel in channels)
    entries = len({channel.layer for channel in channels})
    figures = 4 * (entries * len(LAYER_FIGURES) + len(STEP_FIGURES))
    return _EVENT_BYTES + (len(channels) + logged) * _HISTOGRAM_BYTES + 2 * tags + figures


class StepLog:
    """Writes observations: one event record a step, in the run and, at the keyframes, in its
    sibling; and shows their figures to whoever judges them.

    Observations wait until some hundred histograms or some seconds have come together. Encoding
    and judging them side by side finds code and tables in the processor's cache, where a single
    step would fetch them anew after each training step: a fifth of the time.

    Histograms of every channel that something reached; of gradients and updates also log10 |g|; the
    figures of the step, for programs; and, at `scalars_due` steps, scalars: per layer
    `activation_mean`, `activation_std`, `saturated_share` (of a bounded activation), `dead_share`
    (of one that can die), `update_to_weight_log10`, and `..._rms` of every gradient; of the step
    `monitor/ms_per_step`, `monitor/share_of_step` and `clip_factor`.

    Args:
        events: the run's event file; it stays the caller's to close.
        directory: the run's folder.
        look: is given the figures of some steps before they are written.
        scalars_due: at which steps the scalars are written too.
        note: a sentence for every histogram's description, such as that steps are left out.
        flush_seconds: the longest that an observation waits for the next one to take it along; for
            the keyframes' own file as well.
        patient: whether observations may wait at all.
        start: the first step that is written: what earlier files of the run say of it and of later
            ones is abandoned.
        clock: seconds since 1970, the wall time of the events; for tests.
    """

    def __init__(
        self,
        events: EventFile,
        directory: str | PathLike[str],
        look: Callable[[Figures], None],
        scalars_due: Schedule,
        note: str = "",
        flush_seconds: float = 10.0,
        patient: bool = True,
        start: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._events = events
        self._keyframe_events = EventFile(Path(directory) / KEYFRAMES, flush_seconds=flush_seconds)
        for file in (self._events, self._keyframe_events):
            if start and len(list(file.path.parent.glob("*tfevents*"))) > file.is_open:
                file.restart(start)
        self._look = look
        self._scalars_due = scalars_due
        self._note = note
        self._flush_seconds = flush_seconds
        self._patient = patient
        self._clock = clock
        self._waiting: list[tuple[float, Observation]] = []
        self._sets = 0
        self._observed: Observed | None = None

    def use(self, observed: Observed) -> None:
        """From now on observations have these channels; what waits is written first."""
        self._encode()
        self._observed = observed
        self._sets += 1
        self._run = _Stream(self._events, observed.channels, self._note)
        self._keyframes = _Stream(self._keyframe_events, observed.channels, self._note)
        self._scalars = _Scalars(observed)
        self._figures = FiguresEncoder(observed.facts, self._sets)
        self._most_waiting = 1
        if self._patient:
            self._most_waiting += _HISTOGRAMS_WAITING // max(len(observed.channels), 1)

    def write(self, observation: Observation) -> None:
        """Write one step, at the latest with the first that comes `flush_seconds` later."""
        now = self._clock()
        self._waiting.append((now, observation))
        if now - self._waiting[0][0] >= self._flush_seconds:
            self._encode()
            self._events.flush()
            self._keyframe_events.flush()
        elif len(self._waiting) >= self._most_waiting:
            self._encode()

    def settle(self) -> None:
        """Write what waits."""
        self._encode()

    def close(self) -> None:
        """Write what waits, and close the keyframes' file; a second call does nothing."""
        self._encode()
        self._keyframe_events.close()

    def _encode(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        assert self._observed is not None
        figures = self._observed.figures([observation for _, observation in waiting])
        self._look(figures)
        for (wall_time, observation), of_layers, of_steps in zip(
            waiting, figures.of_layers, figures.of_steps, strict=True
        ):
            values = self._figures.encode(of_layers, of_steps)
            if self._scalars_due(observation.step):
                values += self._scalars.encode(observation, of_layers, of_steps)
            self._run.write(observation, values, wall_time)
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
            [i for i, channel in enumerate(channels) if channel.is_of_any_scale], np.intp
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
        self.events.add(observation.step, [*linear, *logarithmic, *scalars], wall_time)


class _Scalars:
    """Figures of all layers at once, each named `figure/NN_layer`, and those of the step."""

    _OF_LAYERS: ClassVar = {  # scalar: its figure
        "activation_mean": "activation_mean",
        "activation_std": "activation_std",
        "saturated_share": "saturated",
        "dead_share": "dead_units",
        "update_to_weight_log10": "update_to_weight",
    }
    _OF_STEPS = ("clip_factor", "monitor/ms_per_step", "monitor/share_of_step")

    def __init__(self, observed: Observed) -> None:
        figures = list(LAYER_FIGURES)
        self._columns = [figures.index(figure) for figure in self._OF_LAYERS.values()]
        self._dead = list(self._OF_LAYERS).index("dead_share")
        self._update = list(self._OF_LAYERS).index("update_to_weight_log10")
        self._units = figures.index("units")
        self._mortal = np.array([facts.can_die for facts in observed.facts], np.bool_)
        self._gradients = np.array(
            [i for i, c in enumerate(observed.channels) if _is_gradient(c)], np.intp
        )
        names = [
            *((name, facts.name) for name in self._OF_LAYERS for facts in observed.facts),
            *((f"{c.quantity}_rms", c.layer) for c in observed.channels if _is_gradient(c)),
        ]
        self._encoder = ScalarEncoder(
            [*(f"{name}/{layer}" for name, layer in names), *self._OF_STEPS],
            [describe_scalar(name) for name in (*(name for name, _ in names), *self._OF_STEPS)],
        )

    def encode(self, observation: Observation, of_layers: Array, of_steps: Array) -> list[bytes]:
        moments = observation.reading.moments
        finite = _finite(moments)
        step = dict(zip(STEP_FIGURES, of_steps.tolist(), strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            layers = of_layers[:, self._columns].T.copy()
            layers[self._dead] /= np.where(self._mortal, of_layers[:, self._units], np.nan)
            layers[self._update] = np.log10(layers[self._update])
            rms = np.sqrt(moments[:, _DEVIATIONS] / finite + moments[:, _MEAN] ** 2)
            values = np.concatenate(
                [
                    layers.ravel(),
                    np.where(finite > 0, rms, np.nan)[self._gradients],
                    [
                        step["clip_factor"],
                        step["monitor_ms"],
                        step["monitor_ms"] / np.float64(step["step_ms"]),
                    ],
                ]
            )
        known = np.flatnonzero(~np.isnan(values))
        return self._encoder.encode(values[known].astype(np.float32), known.tolist())


def _is_gradient(channel: Channel) -> bool:
    return channel.quantity.endswith("_grad")


def _finite(moments: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Finite elements of each channel."""
    finite: npt.NDArray[np.float64] = moments[:, _COUNT] - (
        moments[:, _NAN] + moments[:, _POSITIVE] + moments[:, _NEGATIVE]
    )
    return finite
