"""A step's scalars as values of an event record."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from layerscope.diagnose import LayerFacts
from layerscope.diagnose.measured.figure_names import LAYER_COLUMN, STEP_COLUMN
from layerscope.diagnose.measured.figures import Array
from layerscope.events.encoders import ScalarEncoder
from layerscope.measure.moments import MomentColumn
from layerscope.measure.reading import Reading, finite_of
from layerscope.quantity import Quantity
from layerscope.record import Channel
from layerscope.sinks.chart_descriptions import describe_scalar

_CHARTED = (Quantity.ACTIVATION_GRAD, Quantity.WEIGHT_GRAD)


class StepScalars:
    """Encodes figures of all layers at once, each named `figure/NN_layer`, and those of the step.

    Per layer `activation_mean`, `activation_std`, `saturated_share` (of a bounded activation),
    `dead_share` (of one that can die), `update_to_weight_log10`, `update_lost_share` (of weights of
    16 bits), `..._rms` of every gradient, and log10 of it for the charts of activation and weight
    gradients, `..._rms_log10`; of each addition to a residual stream `stream_rms`,
    `branch_to_stream` and `outlier_share`; of each attention `attention_entropy` and
    `attention_logit`; of each router `expert_load` and `experts_unused_share`; of each gate
    `gate_shut_share` and `gate_open_share`; of the step `monitor/ms_per_step`,
    `monitor/share_of_step`, `clip_factor` and `logit_z`.

    Attributes:
        tags: of all scalars, in the order of `values`.
    """

    _OF_LAYERS: ClassVar[Mapping[str, str]] = {  # scalar: its figure
        "activation_mean": "activation_mean",
        "activation_std": "activation_std",
        "saturated_share": "saturated",
        "dead_share": "dead_units",
        "update_to_weight_log10": "update_to_weight",
        "update_lost_share": "update_lost",
        "stream_rms": "stream_rms",
        "branch_to_stream": "branch_to_stream",
        "outlier_share": "outlier_share",
        "attention_entropy": "attention_entropy",
        "attention_logit": "attention_logit",
        "gate_shut_share": "gate_shut",
        "gate_open_share": "gate_open",
        "expert_load": "expert_load",
        "experts_unused_share": "experts_unused",
    }
    _OF_STEPS = ("clip_factor", "logit_z", "monitor/ms_per_step", "monitor/share_of_step")

    def __init__(self, channels: Sequence[Channel], layers: Sequence[LayerFacts]) -> None:
        self._columns = [LAYER_COLUMN[figure] for figure in self._OF_LAYERS.values()]
        self._dead = list(self._OF_LAYERS).index("dead_share")
        self._update = list(self._OF_LAYERS).index("update_to_weight_log10")
        self._units = LAYER_COLUMN["units"]
        self._as_they_are = [STEP_COLUMN[name] for name in ("clip_factor", "logit_z")]
        self._monitor, self._step = STEP_COLUMN["monitor_ms"], STEP_COLUMN["step_ms"]
        self._mortal = np.array([facts.can_die for facts in layers], np.bool_)
        rows = [i for i, channel in enumerate(channels) if channel.quantity.is_gradient]
        self._gradients = np.array(rows, np.intp)
        charted = [place for place, i in enumerate(rows) if channels[i].quantity in _CHARTED]
        self._charted = np.array(charted, np.intp)  # places among the gradients
        names = [
            *((name, facts.name) for name in self._OF_LAYERS for facts in layers),
            *((channels[i].quantity.rms, channels[i].layer) for i in rows),
            *((channels[rows[i]].quantity.rms_log10, channels[rows[i]].layer) for i in charted),
        ]
        self.tags = [*(f"{name}/{layer}" for name, layer in names), *self._OF_STEPS]
        self._encoder = ScalarEncoder(
            self.tags,
            [describe_scalar(name) for name in (*(name for name, _ in names), *self._OF_STEPS)],
        )

    def encode_steps(
        self, readings: Sequence[Reading], of_layers: Array, of_steps: Array
    ) -> list[list[bytes]]:
        """Encode some steps, of each as values for `EventFile.add`; what is not known is left out.

        The arguments are those of `values`.
        """
        if not readings:
            return []
        values = self.values(readings, of_layers, of_steps)
        known = [np.flatnonzero(there) for there in ~np.isnan(values)]
        return [
            self._encoder.encode(of_step[at], at.tolist())
            for of_step, at in zip(values, known, strict=True)
        ]

    def values(self, readings: Sequence[Reading], of_layers: Array, of_steps: Array) -> Array:
        """The scalars of some steps, at least one: float32 [steps, tags], NaN for what is unknown.

        Args:
            of_layers: the layers' figures, [steps, layers, len(LAYER_FIGURES)].
            of_steps: the steps' figures, [steps, len(STEP_FIGURES)].
        """
        moments = np.array([reading.moments[self._gradients] for reading in readings])
        finite = finite_of(moments)
        with np.errstate(divide="ignore", invalid="ignore"):
            layers = of_layers[:, :, self._columns].swapaxes(1, 2).copy()
            layers[:, self._dead] /= np.where(self._mortal, of_layers[:, :, self._units], np.nan)
            layers[:, self._update] = np.log10(layers[:, self._update])
            variance = moments[:, :, MomentColumn.SQUARED_DEVIATIONS] / finite
            rms = np.sqrt(variance + moments[:, :, MomentColumn.MEAN] ** 2)
            rms[finite <= 0] = np.nan
            monitor, step = of_steps[:, self._monitor], of_steps[:, self._step].astype(np.float64)
            return np.hstack(
                [
                    layers.reshape(len(layers), -1),
                    rms,
                    np.log10(rms[:, self._charted]),
                    of_steps[:, self._as_they_are],
                    np.stack([monitor, monitor / step], 1),
                ]
            ).astype(np.float32)
