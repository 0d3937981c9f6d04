"""What a run measured, as arrays: what the rules judge, and what an event file keeps of each step.

One number per step, layer and figure, float32: the same numbers whether a rule sees them while the
network trains or reads them back from the event files, so that both come to the same findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from layerscope.diagnose.plain_types import check_types

Array = npt.NDArray[np.float32]

LAYER_FIGURES: Mapping[str, str] = {
    "activation_count": "elements of the layer's outputs in this step",
    "activation_mean": "mean of the finite outputs",
    "activation_std": "their standard deviation",
    "activation_min": "their minimum",
    "activation_max": "their maximum",
    "activation_nonfinite": "outputs that are NaN or infinite",
    "saturated": "share of outputs where the activation function's own derivative is small",
    "zeros": "share of outputs that are exactly zero",
    "activation_grad_rms": "root mean square of d loss / d output",
    "activation_grad_nonfinite": "of its elements, those that are NaN or infinite",
    "weight_grad_rms": "root mean square of the weight's gradient, unscaled, before clipping",
    "weight_grad_nonfinite": "of its elements, those that are NaN or infinite",
    "weight_rms": "root mean square of the weight before the step, where it was measured",
    "update_to_weight": "RMS(update) / RMS(weight before the step), where it was measured",
    "units": "units of the layer: features or channels of its output",
    "silent_units": "units that were not active on any sample of this step",
    "dead_units": "units that were not active on any of the last `dead_window` samples",
    "dead_since": "the step from which on the longest silent of them has been silent",
    "revived_units": "units that were dead and are active again",
    "quiet_units": "units that have not been active for 512 samples or more",
    "unit_spread": "largest (max - min) of a unit over the samples / largest |output|",
    "inputs_finite": "1 if the inputs of a layer with non-finite outputs were finite, else 0",
    "weight_row_spread": "largest difference between rows of the weight / largest |weight|",
    "weight_nonfinite": "elements of the weight that are NaN or infinite, before the step",
    "update_lost": "of elements with a gradient, the share that the update left as they were",
    "owned": "1 if an optimizer has the layer's trained parameters, else 0",
    "rate_share": "the learning rate of its group / the optimizer's largest, where groups differ",
    "no_gradient": "1 if a trained weight of the layer got no gradient at all in this step, else 0",
    "stream_rms": "where a branch is added to a residual stream: the stream's RMS after it",
    "branch_to_stream": "RMS of the branch / that of the stream before it was added",
    "outlier_share": "share of the stream's elements, after it, that are above 10 times its RMS",
    "outlier_channel": "the channel that has most of them, from 0",
    "attention_logit": "of an attention, the largest logit of any head, masked ones left out",
    "attention_entropy": "entropy of a row's weights / ln(keys it may see), mean of rows and heads",
    "attention_entropy_lowest": "the same of the head that has the lowest",
    "attention_one_token": "share of rows whose largest weight is above 0.99, mean of heads",
    "attention_scale": "what its products of queries and keys are multiplied by, times sqrt(width)",
    "query_rms": "root mean square of the queries, of the head that has the largest",
    "key_rms": "the same of the keys",
    "expert_tokens": "of a mixture's router, tokens per expert, the mean over its experts",
    "expert_load": "tokens of the expert that gets most / that mean",
    "gate_shut": "of a recurrent layer's gate, the share of its values below 0.1",
    "gate_open": "the share of them above 0.9",
    "experts_unused": "share of the experts that got no token in this step",
}
"""Of each layer in each step, and what it is; NaN where it was not measured or has no meaning."""

STEP_FIGURES: Mapping[str, str] = {
    "loss": "the training loss, summed over micro-batches; infinite if it is not a number",
    "learning_rate": "of the optimizer's first parameter group",
    "clip_factor": "norm of the gradients after clipping / before; 1 if nothing was clipped",
    "skipped": "1 if a gradient scaler left the step out, else 0",
    "incomplete": "1 if training ended in the middle of the step, else 0",
    "optimizer": "which optimizer took the step, from 0",
    "optimizers": "how many have taken a step so far, those of other networks in the loop too",
    "monitor_ms": "what measuring took of the step's time, in milliseconds, where it was timed",
    "step_ms": "time from this step to the next, in milliseconds, where it was timed",
    "input_rms": "root mean square of the data that the first layers get, exact zeros left out",
    "input_largest": "largest absolute value of these data",
    "input_mean": "their mean, over |values|' root mean square",
    "input_feature_ratio": "RMS of the largest feature / that of the median one",
    "input_feature_spread": "standard deviation of the median feature / its RMS, over the samples",
    "input_nonfinite": "elements of these data that are NaN or infinite",
    "inputs_normalized": "1 if a normalisation is what first gets the data, else 0",
    "loss_kind": "which loss the gradient on the output shows: a number of `loss_kind.Loss`",
    "loss_reduction": "1 if the loss is a mean over its elements, n if it is a sum over n",
    "samples": "rows of the output that the loss looks at",
    "outputs": "values per row of the output: classes, of a cross-entropy",
    "labels_seen": "different class numbers among the targets of this step",
    "label": "the most frequent of them",
    "label_share": "its share of the targets",
    "loss_floor": "the lowest that the loss can get where labels are smoothed: a label's entropy",
    "label_entropy": "entropy of all class numbers seen so far, in nats",
    "target_min": "smallest target, of errors and binary losses",
    "target_max": "largest target",
    "target_rms": "their root mean square",
    "target_std": "their standard deviation",
    "loss_negated": "1 if the loss is minus one of its kind, else 0",
    "loss_activated": "1 if the loop puts the output through a softmax or sigmoid first, else 0",
    "targets_broadcast": "1 if each output was compared with the targets of all samples, else 0",
    "output_min": "smallest value of the output",
    "output_max": "largest value of the output",
    "output_rms": "root mean square of the output",
    "logit_z": "of a cross-entropy: log of the sum of exp(logits), the mean over the samples",
    "output_rows_one": "1 if each row of the output is a distribution that sums to 1, else 0",
    "output_function": "the output's last function: a number of `last_function.LastFunction`",
    "softmax_over_samples": "1 if that is a softmax along the axis of the samples, else 0",
    "along_batch": "1 if a recurrent layer or attention takes the batch for the sequence, else 0",
    "output_columns_one": "1 if each column is one instead, over the samples, else 0",
    "output_grad_sign": "|positive - negative| / all elements of the gradient on the output",
    "gradients_kept": "1 if the gradients of the step before were still there at backward, else 0",
    "unowned_share": "share of the trained elements that no optimizer has",
    "foreign": "parameters that the optimizers have, and the network has not",
    "owned_twice": "parameters that stand in the optimizers more than once",
    "unregistered": "parameters that the output is made of, and that nobody has",
    "made_anew": "parameters that the forward pass makes anew in every step",
    "weight_decay": "largest weight decay of a parameter group",
    "maximize": "1 if an optimizer is told to make the loss large, else 0",
    "dropout": "largest probability of a dropout that is on",
    "evaluation_share": "of the dropouts and batch normalisations, those in evaluation mode",
}
"""Of each step, and what it is; NaN where it is not known."""


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What does not change about a layer, as plain types.

    Attributes:
        name: as in tags, such as `03_encoder.conv`; parameters with names of their own, say
            `02_lstm.weight_hh_l0`, are entries of their own, without an activation.
        path: of the module, as `named_modules` has it.
        module: the module's class.
        order: in which forward passes reach the layer, from 0; -1 if they don't.
        nonlinearity: the activation function's name in lower case; None for any other module.
        bounds: the range of its outputs where both ends are finite, else None.
        odd: whether it is odd, so that a healthy mean is about 0.
        can_die: whether a unit can get where its derivative is zero or small for good.
        normalizes: whether the module that gets its input is a normalisation.
        weights: which of the entry's parameters are measured: "weight", "bias".
        trainable: whether any of its parameters required a gradient at the start.
        last: whether it is the last in order: logits and other outputs may have any scale.
        on_trunk: whether every path of the gradient from the loss to the data passes it. A branch
            beside a residual stream, or one of several heads, may get as little as it likes.
        follows: the linear layer whose output it receives with no function in between; "" if none.
        width: of a linear layer, (inputs, outputs); None for any other.
        stream: where the entry is no layer, but a place where a branch is added to a residual
            stream: the path of the list of blocks that the stream goes through; else "".
        stream_depth: how many additions to that stream come before it; -1 of a layer.
        configured: whether conf/ builds the network, so that its keys change it.
    """

    name: str
    path: str
    module: str
    order: int = -1
    nonlinearity: str | None = None
    bounds: tuple[float, float] | None = None
    odd: bool = False
    can_die: bool = False
    normalizes: bool = False
    weights: tuple[str, ...] = ()
    trainable: bool = True
    last: bool = False
    on_trunk: bool = True
    follows: str = ""
    width: tuple[int, int] | None = None
    stream: str = ""
    stream_depth: int = -1
    configured: bool = False

    def as_json(self) -> dict[str, Any]:
        """Plain types for JSON; `LayerFacts.of_json` reads them."""
        return asdict(self)

    @classmethod
    def of_json(cls, facts: Mapping[str, Any]) -> LayerFacts:
        """The facts that `as_json` gave.

        Raises:
            ValueError: a value is of another type; KeyError or TypeError, where one is missing.
        """
        bounds, width = facts["bounds"], facts.get("width")
        read = cls(
            **{
                **facts,
                "bounds": None if bounds is None else (float(bounds[0]), float(bounds[1])),
                "weights": tuple(facts["weights"]),
                "width": None if width is None else (int(width[0]), int(width[1])),
            }
        )
        check_types(read)
        return read


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """The figures of some steps of a run, in order of step.

    Attributes:
        layers: whose figures; in network order.
        steps: int64 [steps].
        of_layers: float32 [steps, layers, len(LAYER_FIGURES)].
        of_steps: float32 [steps, len(STEP_FIGURES)].
    """

    layers: tuple[LayerFacts, ...]
    steps: npt.NDArray[np.int64]
    of_layers: Array
    of_steps: Array

    def __getitem__(self, figure: str) -> Array:
        """A layer figure as [steps, layers], or a step figure as [steps]; KeyError if unknown."""
        if figure in _STEP_COLUMNS:
            return self.of_steps[:, _STEP_COLUMNS[figure]]
        return self.of_layers[:, :, _LAYER_COLUMNS[figure]]

    @classmethod
    def empty(cls, layers: Sequence[LayerFacts], steps: Sequence[int]) -> Figures:
        """Figures that are all NaN, to be filled in."""
        return cls(
            tuple(layers),
            np.asarray(steps, np.int64),
            np.full((len(steps), len(layers), len(LAYER_FIGURES)), np.nan, np.float32),
            np.full((len(steps), len(STEP_FIGURES)), np.nan, np.float32),
        )

    def among(self, layers: tuple[LayerFacts, ...], columns: Sequence[int]) -> Figures:
        """The same figures as those of more layers, NaN for those that were not there.

        Args:
            columns: of each of `self.layers`, its place among all.
        """
        shape = (len(self.steps), len(layers), len(LAYER_FIGURES))
        of_layers = np.full(shape, np.nan, np.float32)
        of_layers[:, columns] = self.of_layers
        return Figures(layers, self.steps, of_layers, self.of_steps)

    def without_skipped(self) -> Figures:
        """The same figures, but for the gradients of steps that a gradient scaler skipped.

        Such a step has overflown because the loss was scaled too far. Its gradients are NaN here,
        so that they are not judged.
        """
        skipped = np.flatnonzero(self["skipped"] > 0)
        if not len(skipped):
            return self
        of_layers = self.of_layers.copy()
        layers = np.arange(of_layers.shape[1])
        of_layers[np.ix_(skipped, layers, _GRADIENT_COLUMNS)] = np.nan
        return Figures(self.layers, self.steps, of_layers, self.of_steps)


_LAYER_COLUMNS = {name: column for column, name in enumerate(LAYER_FIGURES)}
_STEP_COLUMNS = {name: column for column, name in enumerate(STEP_FIGURES)}
_GRADIENT_COLUMNS = np.array(
    [
        column
        for name, column in _LAYER_COLUMNS.items()
        if name.startswith(("activation_grad", "weight_grad", "update"))
    ]
)
