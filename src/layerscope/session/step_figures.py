"""Observations become Figures: one number per step, layer and figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from torch import nn

from layerscope.diagnose.figures import LAYER_FIGURES, STEP_FIGURES, Array, Figures, LayerFacts
from layerscope.measure.reading import Reading
from layerscope.measure.unit_reading import DEAD, REVIVED, SILENT, SINCE, SPREAD, UNITS
from layerscope.record import Layer, Observation, Recorder
from layerscope.record.place import Place
from layerscope.record.plan import Watched

_NORMALIZES = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
    nn.RMSNorm,
)

_COLUMN = {name: column for column, name in enumerate(LAYER_FIGURES)}

# Columns of Reading.moments: the fields of Moments in their order.
_COUNT, _ZEROS, _NAN, _, _, _OUTSIDE, _MEAN, _DEVIATIONS, _, _MINIMUM, _MAXIMUM = range(11)

_FIELDS = 11

_UNIT_FIGURES = (
    (UNITS, "units"),
    (SILENT, "silent_units"),
    (DEAD, "dead_units"),
    (SINCE, "dead_since"),
    (REVIVED, "revived_units"),
    (SPREAD, "unit_spread"),
)


class Observed:
    """Turns observations of the same channels into figures, a block of steps at once.

    Args:
        layers: all watched layers, in network order.
        recorder: which has observed them; it may learn of more places later.

    Attributes:
        facts: the entries: a layer's outputs each, and parameters that have names of their own.
        channels: all that it observes by now.
    """

    def __init__(self, layers: Sequence[Layer], recorder: Recorder) -> None:
        places, parameters = recorder.places, recorder.parameters
        self.channels = channels = recorder.channels
        self._reached = recorder.reached
        self.facts = _facts(layers, places, parameters)
        at = {facts.name: position for position, facts in enumerate(self.facts)}

        def entries(quantity: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
            found = [(i, at[c.layer]) for i, c in enumerate(channels) if c.quantity == quantity]
            pairs = np.array(found, np.intp).reshape(-1, 2)
            return pairs[:, 0], pairs[:, 1]

        self._activations = entries("activation")
        self._gradients = entries("activation_grad")
        self._weight_gradients = entries("weight_grad")
        self._weights = entries("weight")
        self._places = np.array([at[place.name] for place in places], np.intp)
        self._bounded = np.array([self.facts[i].bounds is not None for i in self._activations[1]])
        weights = [
            i for i, watched in enumerate(parameters) if watched.channel.quantity == "weight"
        ]
        self._updated = np.array(weights, np.intp)
        self._updated_entries = np.array(
            [at[parameters[i].channel.layer] for i in weights], np.intp
        )

    def outdated_by(self, recorder: Recorder) -> bool:
        """Whether the recorder has learnt of a place, or of where one comes in order."""
        return recorder.channels is not self.channels or recorder.reached != self._reached

    def figures(self, observations: Sequence[Observation]) -> Figures:
        """The figures of some steps; waits for those that are still on their way."""
        steps = len(observations)
        made = Figures(
            self.facts,
            np.array([observation.step for observation in observations], np.int64),
            np.full((steps, len(self.facts), len(LAYER_FIGURES)), np.nan, np.float32),
            np.array([_of_step(observation) for observation in observations], np.float32),
        )
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            self._fill_moments(observations, made.of_layers)
            self._fill_units(observations, made.of_layers)
        for observation, out in zip(observations, made.of_layers, strict=True):
            if observation.updates is not None and not observation.skipped:
                self._fill_updates(observation.updates, out)
            for name, were_finite in observation.inputs_finite:
                entry = next(i for i, facts in enumerate(self.facts) if facts.name == name)
                out[entry, _COLUMN["inputs_finite"]] = were_finite
        return made

    def _fill_moments(self, observations: Sequence[Observation], out: Array) -> None:
        """All steps at once: numpy's calls would cost more than what they do to one."""
        moments = np.zeros((len(observations), len(self.channels), _FIELDS))
        for observation, of_step in zip(observations, moments, strict=True):
            measured = observation.reading.moments
            of_step[: len(measured)] = measured
        count = moments[:, :, _COUNT]
        nonfinite = moments[:, :, _NAN : _NAN + 3].sum(2)
        finite = count - nonfinite
        # Of what was not reached, the count is 0 and all that is divided by it NaN.
        mean = np.where(finite > 0, moments[:, :, _MEAN], np.nan)
        rms = np.sqrt(moments[:, :, _DEVIATIONS] / finite + mean**2)
        reached = np.where(count > 0, 1.0, np.nan)

        rows, at = self._activations
        one = reached[:, rows]
        spread = np.sqrt(
            moments[:, rows, _DEVIATIONS] / (finite[:, rows] - 1)
        )  # as torch, Bessel's
        outside = moments[:, rows, _OUTSIDE] / count[:, rows]
        for name, values in (
            ("activation_count", count[:, rows] * one),
            ("activation_mean", mean[:, rows]),
            ("activation_std", np.where(finite[:, rows] > 1, spread, np.nan)),
            ("activation_min", moments[:, rows, _MINIMUM] * one),
            ("activation_max", moments[:, rows, _MAXIMUM] * one),
            ("activation_nonfinite", nonfinite[:, rows] * one),
            ("saturated", np.where(self._bounded, outside, np.nan)),
            ("zeros", moments[:, rows, _ZEROS] / count[:, rows]),
        ):
            out[:, at, _COLUMN[name]] = values
        for name, (rows, at) in (
            ("activation_grad", self._gradients),
            ("weight_grad", self._weight_gradients),
        ):
            out[:, at, _COLUMN[f"{name}_rms"]] = rms[:, rows]
            out[:, at, _COLUMN[f"{name}_nonfinite"]] = nonfinite[:, rows] * reached[:, rows]
        rows, at = self._weights
        out[:, at, _COLUMN["weight_rms"]] = rms[:, rows]

    def _fill_units(self, observations: Sequence[Observation], out: Array) -> None:
        if observations[0].units is None:
            return
        units = np.array([each.units.figures for each in observations if each.units is not None])
        units[units[:, :, UNITS] == 0] = np.nan
        for column, figure in _UNIT_FIGURES:
            out[:, self._places, _COLUMN[figure]] = units[:, :, column]

    def _fill_updates(self, updates: Reading, out: Array) -> None:
        change, weight = updates.moments[self._updated].T
        known = ~np.isnan(weight)
        at, change, weight = self._updated_entries[known], change[known], weight[known]
        # Of weights that are all zero any change is infinitely much: that says nothing.
        ratio = np.divide(change, weight, out=np.full(len(at), np.nan), where=weight > 0)
        out[at, _COLUMN["update_to_weight"]] = ratio
        out[at, _COLUMN["weight_rms"]] = weight


def _of_step(observation: Observation) -> list[float]:
    figures = {
        "loss": _loss(observation),
        "learning_rate": observation.learning_rate,
        "clip_factor": observation.clip_factor,
        "skipped": float(observation.skipped),
        "optimizer": float(observation.optimizer),
        "monitor_ms": observation.monitor_ms,
        "step_ms": observation.step_ms,
    }
    return [figures[name] for name in STEP_FIGURES]


def _loss(observation: Observation) -> float:
    """NaN where nobody noted a loss; one that is NaN itself is infinite, to be told from that."""
    if not observation.has_loss:
        return math.nan
    return observation.loss if math.isfinite(observation.loss) else math.inf


def _facts(
    layers: Sequence[Layer], places: Sequence[Place], parameters: Sequence[Watched]
) -> tuple[LayerFacts, ...]:
    """An entry for each place, and for each name of parameters that no place has."""
    reached = [place.order for place in places if place.order >= 0]
    last = max(reached, default=-1)
    kinds: dict[str, list[str]] = {}
    trainable: dict[str, bool] = {}
    for watched in parameters:
        entry = watched.channel.layer
        kinds.setdefault(entry, []).append(watched.channel.quantity)
        trainable[entry] = trainable.get(entry, False) or watched.parameter.requires_grad
    made: list[LayerFacts] = []
    for layer in layers:
        function = layer.nonlinearity
        of_layer = [place for place in places if place.layer is layer]
        names = {place.name for place in of_layer}
        own = {each.channel.layer for each in parameters if each.layer == layer.name} - names
        made += [
            LayerFacts(
                name=place.name,
                path=layer.path,
                module=type(layer.module).__name__,
                order=place.order,
                nonlinearity=None if function is None else function.name,
                bounds=None if function is None else function.bounds,
                odd=function is not None and function.odd,
                can_die=function is not None and function.can_die,
                normalizes=isinstance(layer.module, _NORMALIZES),
                weights=tuple(kinds.get(place.name, ())),
                trainable=trainable.get(
                    place.name, any(p.requires_grad for _, p in layer.parameters)
                ),
                last=place.order == last >= 0,
            )
            for place in of_layer
        ]
        made += [
            LayerFacts(
                name=name,
                path=layer.path,
                module=type(layer.module).__name__,
                weights=tuple(kinds[name]),
                trainable=trainable[name],
            )
            for name in sorted(own)
        ]
    return tuple(made)
