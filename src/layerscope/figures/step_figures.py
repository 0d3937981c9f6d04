"""Observations become Figures: one number per step, layer and figure."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.measured.figure_names import LAYER_COLUMN, STEP_COLUMN
from layerscope.diagnose.measured.figures import Array, Figures
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.measure.moments import MOMENTS, MomentColumn
from layerscope.measure.reading import Reading, finite_of
from layerscope.measure.unit_reading import UnitColumn
from layerscope.quantity import Quantity
from layerscope.record import Channel, Observation
from layerscope.record.observation import FOUND_INF, clip_factor_of, loss_of
from layerscope.record.parameters.update_sums import UpdateReading

_UNIT_FIGURES = (
    (UnitColumn.UNITS, "units"),
    (UnitColumn.SILENT, "silent_units"),
    (UnitColumn.DEAD, "dead_units"),
    (UnitColumn.SINCE, "dead_since"),
    (UnitColumn.QUIET, "quiet_units"),
    (UnitColumn.SPREAD, "unit_spread"),
)

_ROWS_TOGETHER = 1 << 13
"""Rows of the steps whose moments become figures together: less than a megabyte."""


class StepFigures:
    """The formulas of all figures: from observations of the same channels, many steps at once.

    To add a figure: its name in `LAYER_FIGURES` or `STEP_FIGURES`, its formula here.

    Args:
        channels: all that is measured of them; an observation may have only the first of them.
        outputs: names of the outputs whose units are watched, in the order of their rows.
        parameters: kind and name of the parameters whose updates are measured, in their order.
    """

    def __init__(
        self,
        layers: tuple[LayerFacts, ...],
        channels: Sequence[Channel],
        outputs: Sequence[str],
        parameters: Sequence[Channel],
    ) -> None:
        self.layers = layers
        self._width = len(channels)
        self._at = at = {facts.name: position for position, facts in enumerate(layers)}

        def entries(quantity: Quantity) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
            found = [(i, at[c.layer]) for i, c in enumerate(channels) if c.quantity is quantity]
            pairs = np.array(found, np.intp).reshape(-1, 2)
            return pairs[:, 0], pairs[:, 1]

        self._activations = entries(Quantity.ACTIVATION)
        self._activation_gradients = entries(Quantity.ACTIVATION_GRAD)
        self._weight_gradients = entries(Quantity.WEIGHT_GRAD)
        self._weights = entries(Quantity.WEIGHT)
        self._outputs = np.array([at[name] for name in outputs], np.intp)
        self._bounded = np.array([layers[i].bounds is not None for i in self._activations[1]])
        weights = [
            (i, at[c.layer]) for i, c in enumerate(parameters) if c.quantity is Quantity.WEIGHT
        ]
        self._updated, self._updated_entries = np.array(weights, np.intp).reshape(-1, 2).T

    def of(self, observations: Sequence[Observation]) -> Figures:
        """The figures of some steps; waits for those that are still on their way."""
        made = Figures.empty(self.layers, [observation.step for observation in observations])
        readings = [observation.reading.get() for observation in observations]
        with np.errstate(all="ignore"):
            _fill_steps(observations, readings, made)
            together = 1 + _ROWS_TOGETHER // max(self._width, 1)
            for first in range(0, len(readings), together):
                some = slice(first, first + together)
                self._fill_moments(readings[some], made.of_layers[some])
            self._fill_units(observations, made.of_layers)
        skipped = made["skipped"]
        for row, observation in enumerate(observations):
            if observation.updates is not None and not skipped[row]:
                self._fill_updates(observation.updates.get(), made.of_layers[row])
            for each in observation.not_finite:
                out = made.of_layers[row, self._at[each.output]]
                out[LAYER_COLUMN["inputs_finite"]] = each.inputs_finite
                out[LAYER_COLUMN["weight_nonfinite"]] = each.weights
        return made

    def _fill_moments(self, readings: Sequence[Reading], out: Array) -> None:
        """Many steps at once: numpy's calls would cost more than what they do to one."""
        moments = np.zeros((len(readings), self._width, MOMENTS))
        for reading, of_step in zip(readings, moments, strict=True):
            of_step[: len(reading.moments)] = reading.moments
        count, finite = moments[:, :, MomentColumn.COUNT], finite_of(moments)
        nonfinite = count - finite
        # Of what was not reached, the count is 0 and all that is divided by it NaN.
        mean = np.where(finite > 0, moments[:, :, MomentColumn.MEAN], np.nan)
        deviations = moments[:, :, MomentColumn.SQUARED_DEVIATIONS]
        rms = np.sqrt(deviations / finite + mean**2)
        reached = np.where(count > 0, 1.0, np.nan)

        rows, at = self._activations
        one = reached[:, rows]
        spread = np.sqrt(deviations[:, rows] / (finite[:, rows] - 1))  # as torch, Bessel's
        numbers = count[:, rows] - moments[:, rows, MomentColumn.NAN]  # none: nothing is known
        outside = moments[:, rows, MomentColumn.OUTSIDE] / np.where(numbers > 0, count[:, rows], 0)
        for name, values in (
            ("activation_count", count[:, rows] * one),
            ("activation_mean", mean[:, rows]),
            ("activation_std", np.where(finite[:, rows] > 1, spread, np.nan)),
            ("activation_min", moments[:, rows, MomentColumn.MINIMUM] * one),
            ("activation_max", moments[:, rows, MomentColumn.MAXIMUM] * one),
            ("activation_nonfinite", nonfinite[:, rows] * one),
            ("saturated", np.where(self._bounded, outside, np.nan)),
            ("zeros", moments[:, rows, MomentColumn.ZEROS] / count[:, rows]),
        ):
            out[:, at, LAYER_COLUMN[name]] = values
        for quantity, (rows, at) in (
            (Quantity.ACTIVATION_GRAD, self._activation_gradients),
            (Quantity.WEIGHT_GRAD, self._weight_gradients),
        ):
            out[:, at, LAYER_COLUMN[quantity.rms]] = rms[:, rows]
            lost = nonfinite[:, rows] * reached[:, rows]
            out[:, at, LAYER_COLUMN[f"{quantity}_nonfinite"]] = lost
        rows, at = self._weights
        out[:, at, LAYER_COLUMN["weight_rms"]] = rms[:, rows]

    def _fill_units(self, observations: Sequence[Observation], out: Array) -> None:
        if observations[0].units is None:
            return
        read = [each.units.get() for each in observations if each.units is not None]
        units = np.array(read)
        units[units[:, :, UnitColumn.UNITS] == 0] = np.nan
        for column, figure in _UNIT_FIGURES:
            out[:, self._outputs, LAYER_COLUMN[figure]] = units[:, :, column]

    def _fill_updates(self, updates: UpdateReading, out: Array) -> None:
        change, weight = updates.update[self._updated], updates.weight[self._updated]
        lost = updates.lost[self._updated]
        known = ~np.isnan(weight)
        at, change, weight = self._updated_entries[known], change[known], weight[known]
        # Of weights that are all zero any change is infinitely much: that says nothing.
        ratio = np.full(len(at), np.nan)
        with np.errstate(invalid="ignore", over="ignore"):  # of weights that have overflown
            np.divide(change, weight, out=ratio, where=weight > 0)
        out[at, LAYER_COLUMN["update_to_weight"]] = ratio
        out[at, LAYER_COLUMN["weight_rms"]] = weight
        out[at, LAYER_COLUMN["update_lost"]] = lost[known]


def _fill_steps(
    observations: Sequence[Observation], readings: Sequence[Reading], made: Figures
) -> None:
    """What each step says of itself."""
    ranks = np.array([each.ranks for each in observations])
    carried = np.array([reading.carried for reading in readings]).T
    loss = loss_of(carried, ranks)
    # One that is not a number is infinite, to be told from that of which nobody noted one.
    loss[~np.isfinite(loss)] = np.inf
    loss[[not each.has_loss for each in observations]] = np.nan
    left_out = [each.left_out for each in observations]
    is_finite = [each.data_finite for each in observations]
    for name, values in (
        ("loss", loss),
        ("learning_rate", [each.learning_rate for each in observations]),
        ("clip_factor", clip_factor_of(carried)),
        ("skipped", (carried[FOUND_INF] > 0) | left_out),
        ("incomplete", [each.incomplete for each in observations]),
        ("optimizer", [each.optimizer for each in observations]),
        ("monitor_ms", [each.monitor_ms for each in observations]),
        ("step_ms", [each.step_ms for each in observations]),
        ("input_nonfinite", [np.nan if finite is None else not finite for finite in is_finite]),
    ):
        made.of_steps[:, STEP_COLUMN[name]] = values
