"""What a network's output and the loss's gradient on it show, as figures."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from layerscope.diagnose.losses.classification_loss import log_of_sum
from layerscope.diagnose.losses.error_beside import beyond, targets_among, targets_of_mean
from layerscope.diagnose.losses.loss_kind import OF_CLASSES, Loss, LossView
from layerscope.diagnose.losses.loss_level import loss_of
from layerscope.diagnose.losses.loss_view import view_loss
from layerscope.diagnose.losses.regression_loss import within_range
from layerscope.diagnose.losses.shares import Shares, shares_of
from layerscope.diagnose.measured.last_function import LastFunction
from layerscope.figures.applied_function import beyond_function
from layerscope.figures.class_numbers import NumberedLabels, Uncalled
from layerscope.figures.class_weights import ignored_figures
from layerscope.figures.directions import direction_figures, is_mean_cosine
from layerscope.figures.entropy_alone import is_of_entropy_alone
from layerscope.figures.inputs import Matrix, rms
from layerscope.figures.looked_at_outputs import (
    counts_are_inputs,
    critic_slope,
    dropped,
    picked_outputs,
    sums_to_one,
    target_column,
    targets_are_inputs,
    targets_are_next,
)
from layerscope.figures.same_noise import SameNoise
from layerscope.figures.target_spread import TargetsApart, TargetTail
from layerscope.figures.targets import target_figures
from layerscope.figures.twins import Twins
from layerscope.measure.pending import Pending, at_hand
from layerscope.record.ends.ends import Ends, Output


class OutputFigures:
    """Makes figures of the output, look after look of one run.

    Attributes:
        labels: how many targets of each class came so far.
        may_have_column: whether a column of the data may be the targets: until none of one batch
            is.
    """

    def __init__(self) -> None:
        self.labels: Counter[int] = Counter()
        self.may_have_column = True
        self._uncalled, self._tail = Uncalled(), TargetTail()
        self._numbered, self._noise, self._apart = NumberedLabels(), SameNoise(), TargetsApart()
        self._twins = Twins()

    def of(self, ends: Ends, output: Output, loss: float, scale: float) -> dict[str, float]:
        """Its figures at a look.

        Args:
            loss: NaN if it is unknown.
            scale: a gradient scaler's factor.
        """
        values = output.values.numpy()
        function = LastFunction[(output.function.name or "none").upper()]
        figures = {"output_function": float(function), **_of_values(output, values)}
        if output.gradient is None:
            return figures
        gradient = output.gradient.numpy() / scale
        figures |= _of_gradient(ends, output, values, gradient, loss)
        square = output.gradient_square / scale**2
        view = view_loss(values, gradient, output.samples, loss, square)
        if ends.form is not None and ends.form.of_alignment and output.alone:
            # Shares of alignments look like labels, or errors, once a network is sure of them.
            view = view if view.kind is Loss.ALIGNMENT_OF_SCORES else LossView(Loss.UNKNOWN)
        form = ends.form if len(values) == output.samples else None
        turned = view.negated
        if form is not None and form.of_shares and view.kind is not Loss.SEVERAL_CLASSES:
            shares = shares_of(values, gradient, loss, mean=form.is_mean)
            turned |= shares is Shares.TURNED
            # Minus a cross-entropy has minus its shares: nothing is wrong with them.
            figures["targets_no_shares"] = 0.0 if turned else float(shares)
        picked, of_picked = picked_outputs(values, gradient, view.kind)
        if picked is not None and of_picked is not None:
            values = picked
            view = view_loss(values, of_picked, output.samples, loss, square)
        low, high = bounds = _bounds(ends, output)
        if any(map(math.isfinite, bounds)):
            figures |= {"output_low": low, "output_high": high}
        low, high = max(low, function.range[0]), min(high, function.range[1])
        view = within_range(view, values, low, high)
        given = [each.values.numpy() for each in ends.data]
        given += [] if output.given is None else [output.given.get().numpy()]
        no_shares = view.kind is Loss.SEVERAL_CLASSES or figures.get("targets_no_shares", 0) > 0
        counts = no_shares and counts_are_inputs(values, gradient, given)
        if view.kind is Loss.UNKNOWN and (math.isfinite(low) or math.isfinite(high)):
            targets = targets_among(values, gradient, given)
            about = output.function.name, output.samples * values.shape[1]
            if targets is None and ends.form is not None and ends.form.mean_square == about:
                targets = targets_of_mean(values, gradient, output.samples, loss, square)
            if ends.form is not None and ends.form.clamped is not None:
                targets = targets_of_mean(values, gradient, output.samples, loss, square)
                # Those of outputs that are cut off are not known.
                targets = None if targets is None else targets[gradient != 0]
            if targets is not None and targets.size > 1:
                figures["target_beyond"] = beyond(targets, low, high)
        if view.kind is Loss.UNKNOWN and ends.form is not None and ends.form.applied is not None:
            told = values, gradient, output.samples, loss, given
            figures |= beyond_function(ends.form.applied, *told)
        figures |= {
            "loss_kind": float(view.kind),
            # Of a loss that is made of several outputs one does not know this one's part.
            "loss_reduction": view.reduction if output.alone else math.nan,
            "targets_broadcast": _broadcast(view, gradient),
            "loss_negated": float(turned),
            "loss_activated": float(view.activated and not ends.of_actions),
            "targets_are_inputs": 1.0 if counts else targets_are_inputs(view, values, given),
            "same_noise": self._noise.see(view, values, given),
            "value_shift": _value_shift(ends, output, view, values),
            **_of_loss(output, view, values, loss),
        }
        # Which targets samples without a gradient have is not known, and no matter of chance.
        some_unknown = ends.form is not None and ends.form.capped
        if ends.of_actions or some_unknown:
            return figures
        return figures | self._of_targets(ends, output, view, values)

    def _of_targets(
        self, ends: Ends, output: Output, view: LossView, values: Matrix
    ) -> dict[str, float]:
        figures: dict[str, Any] = target_figures(view, output, values, self.labels)
        if output.alone:
            figures |= self._tail.figures(view, values, by_sample=output.by_sample)
            if view.kind in OF_CLASSES and view.targets is not None:
                numbered = self._numbered.see(view.targets[:, 0].astype(np.int64))
                figures["labels_numbered"] = numbered
            if output.by_sample or view.kind is Loss.SQUARED_ERROR:  # of maps most is ground
                figures["targets_apart"] = self._apart.see(view, values)
            of_rows = len(values) == output.samples and output.by_sample and not ends.given
            one = ends.data[0] if len(ends.data) == 1 else None
            marks = None if one is None or one.is_part else one.marks
            if of_rows and marks is not None:
                figures["twins_differ"] = self._twins.see(marks.get().numpy(), view, values)
            if of_rows and self.may_have_column:
                raw = [each.values.numpy() for each in ends.data if not each.is_part]
                figures["target_column"] = column = target_column(view, raw)
                self.may_have_column = column != -1
        if output.alone and not ends.given:  # of tokens most classes are never the likeliest
            figures |= self._uncalled.figures(view, values, self.labels)
        if output.alone and output.by_sample and _has_a_text_each(ends, output.samples):
            figures |= ignored_figures(view, values, self.labels)
        return figures


def at_once(figures: Mapping[str, float | Pending[Any]]) -> dict[str, float]:
    """What was seen as figures: waits for those that are pending."""
    return {name: at_hand(value) for name, value in figures.items()}


def _bounds(ends: Ends, output: Output) -> tuple[float, float]:
    """Between which numbers the output is clamped, by the network or by the loss."""
    of_loss = None if ends.form is None else ends.form.clamped
    return output.function.bounds if of_loss is None else of_loss


def _has_a_text_each(ends: Ends, samples: int) -> bool:
    """Whether each row of the output is of a row of tokens, if any came: where it is of one token,
    the loss leaves padding out.
    """
    shapes = [tokens.shape for tokens in ends.tokens]
    return not ends.given or any(rows == samples and columns > 1 for rows, columns in shapes)


def _broadcast(view: LossView, gradient: Matrix) -> float:
    """1 where each output was compared with the targets of all samples, 2 where these are unknown
    and lie all on one side, else 0.
    """
    one_side = view.targets is None and (gradient.min() > 0 or gradient.max() < 0)
    return float(view.broadcast) * (1 + one_side)


def _of_values(output: Output, values: Matrix) -> dict[str, float]:
    """What an output is, whatever the loss makes of it."""
    figures = {
        "samples": float(output.samples),
        "outputs": float(values.shape[1]),
        "output_min": float(values.min()),
        "output_max": float(values.max()),
        "output_rms": rms(values),
        "softmax_over_samples": float(output.function.over_samples),
        "output_cosines": float(output.function.of_cosines),
        "output_rows_one": float(sums_to_one(values, axis=1)),
    }
    # Else one state, no batch; or the first axis is no batch's, as of probabilities of each step.
    if len(values) == output.samples and values.shape[1] > 1 and output.by_sample:
        figures["output_columns_one"] = float(sums_to_one(values, axis=0))
    return figures


def _of_gradient(
    ends: Ends, output: Output, values: Matrix, gradient: Matrix, loss: float
) -> dict[str, float]:
    """What the gradient on it tells, whichever loss it is of."""
    figures = {
        "output_dropped": dropped(values, gradient),
        "output_alone": float(output.alone and not output.has_terms),
        **at_once(output.figures),
    }
    if ends.form is not None and ends.form.capped:
        figures["loss_cut_off"] = float((gradient == 0).all(axis=1).mean())
    if values.shape[1] > 1:
        lost = is_of_entropy_alone(values, gradient, raised=not ends.of_actions)
        if ends.of_actions or lost == 1:
            figures["rewards_lost"] = lost
    if values.shape[1] == 1 and len(values) == output.samples:
        data = [each.values.numpy() for each in ends.data]
        figures["critic_slope"] = critic_slope(values, gradient, loss, data)
    figures |= (directions := direction_figures(values, gradient))
    if directions and loss < 0 and ends.form is not None and len(values) == output.samples:
        of_cosines = ends.form.of_cosines and is_mean_cosine(values, gradient, loss)
        figures["loss_of_cosines"] = float(of_cosines)
    return figures


def _of_loss(output: Output, view: LossView, values: Matrix, loss: float) -> dict[str, float]:
    """What a known loss makes of it."""
    figures = {}
    if view.kind in (Loss.LOG_LIKELIHOOD, Loss.LOG_OF_OUTPUT) and output.function.axis:
        figures["softmax_beside_classes"] = float(output.function.axis != output.axis)
    if view.kind is Loss.CROSS_ENTROPY:
        figures["logit_z"] = float(log_of_sum(values).mean())
        figures["temperature"] = view.temperature
        if output.alone and not math.isnan(scale := output.function.cosine_scale):
            figures["logit_scale"] = abs(scale) / view.temperature
    if output.alone and loss > 0 and len(values) == output.samples:
        figures["loss_beside"] = 1 - loss_of(view, values) / loss
    return figures


def _value_shift(ends: Ends, output: Output, view: LossView, values: Matrix) -> float:
    """1 if targets are the next of the numbers that the network gets, and it gets no others; else
    0; NaN where the network was called with nothing of its output's shape.
    """
    if output.given is None or len(ends.data) != 1 or ends.tokens:
        return math.nan
    return float(targets_are_next(view, values, output.given.get().numpy(), output.every))
