"""Observations become Figures: one number per step, layer and figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from torch import nn

from layerscope.diagnose.figures import LAYER_FIGURES, STEP_FIGURES, Array, Figures, LayerFacts
from layerscope.measure.reading import PendingReading
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

_UNIT_COLUMNS = [_COLUMN[f] for f in ("units", "silent_units", "dead_units", "revived_units")]


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
        made = Figures.empty((), [observation.step for observation in observations])
        made = Figures(
            self.facts,
            made.steps,
            np.full((len(observations), len(self.facts), len(LAYER_FIGURES)), np.nan, np.float32),
            made.of_steps,
        )
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for observation, of_layers in zip(observations, made.of_layers, strict=True):
                self._fill(observation, of_layers)
        made.of_steps[:] = [_of_step(observation) for observation in observations]
        return made

    def _fill(self, observation: Observation, out: Array) -> None:
        reading = observation.reading
        moments = (reading.resolve() if isinstance(reading, PendingReading) else reading).moments
        count = moments[:, _COUNT]
        reached = count > 0
        nonfinite = moments[:, _NAN : _NAN + 3].sum(1)
        finite = count - nonfinite
        mean = np.where(finite > 0, moments[:, _MEAN], np.nan)
        rms = np.sqrt(moments[:, _DEVIATIONS] / finite + mean**2)

        rows, at = self._activations
        rows, at, bounded = (each[reached[rows]] for each in (rows, at, self._bounded))
        values = out[at]
        values[:, _COLUMN["activation_count"]] = count[rows]
        values[:, _COLUMN["activation_mean"]] = mean[rows]
        # A single value has no spread; as torch, with Bessel's correction.
        spread = np.sqrt(moments[rows, _DEVIATIONS] / (finite[rows] - 1))
        values[:, _COLUMN["activation_std"]] = np.where(finite[rows] > 1, spread, np.nan)
        values[:, _COLUMN["activation_min"]] = moments[rows, _MINIMUM]
        values[:, _COLUMN["activation_max"]] = moments[rows, _MAXIMUM]
        values[:, _COLUMN["activation_nonfinite"]] = nonfinite[rows]
        values[:, _COLUMN["saturated"]] = np.where(
            bounded, moments[rows, _OUTSIDE] / count[rows], np.nan
        )
        values[:, _COLUMN["zeros"]] = moments[rows, _ZEROS] / count[rows]
        out[at] = values

        for quantity, (rows, at) in (
            ("activation_grad", self._gradients),
            ("weight_grad", self._weight_gradients),
        ):
            rows, at = rows[reached[rows]], at[reached[rows]]
            out[at, _COLUMN[f"{quantity}_rms"]] = rms[rows]
            out[at, _COLUMN[f"{quantity}_nonfinite"]] = nonfinite[rows]
        rows, at = self._weights
        if len(rows) and rows[-1] < len(moments):
            at, rows = at[reached[rows]], rows[reached[rows]]
            out[at, _COLUMN["weight_rms"]] = rms[rows]
        if observation.updates is not None and not observation.skipped:
            change, weight = observation.updates.moments[self._updated].T
            known = ~np.isnan(weight)
            at, change, weight = self._updated_entries[known], change[known], weight[known]
            # Of weights that are all zero any change is infinitely much: that says nothing.
            ratio = np.where(weight > 0, change / weight, np.nan)
            out[at, _COLUMN["update_to_weight"]] = ratio
            out[at, _COLUMN["weight_rms"]] = weight
        if observation.units is not None:
            units = observation.units.figures
            known = units[:, UNITS] > 0
            at = self._places[known]
            out[at[:, np.newaxis], _UNIT_COLUMNS] = units[known][:, [UNITS, SILENT, DEAD, REVIVED]]
            out[at, _COLUMN["dead_since"]] = units[known, SINCE]
            out[at, _COLUMN["unit_spread"]] = units[known, SPREAD]
        for name, were_finite in observation.inputs_finite:
            entry = next(i for i, facts in enumerate(self.facts) if facts.name == name)
            out[entry, _COLUMN["inputs_finite"]] = were_finite


def _of_step(observation: Observation) -> list[float]:
    figures = {
        "loss": observation.loss if observation.has_loss else math.nan,
        "learning_rate": observation.learning_rate,
        "clip_factor": observation.clip_factor,
        "skipped": float(observation.skipped),
        "optimizer": float(observation.optimizer),
        "monitor_ms": observation.monitor_ms,
        "step_ms": observation.step_ms,
    }
    return [figures[name] for name in STEP_FIGURES]


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
