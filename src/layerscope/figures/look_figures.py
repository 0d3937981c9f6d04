"""What was seen beside the layers, as figures of data, output, loss and optimizers."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn

from layerscope.diagnose.figure_names import LAYER_COLUMN, STEP_COLUMN
from layerscope.diagnose.figures import Array
from layerscope.diagnose.last_function import LastFunction
from layerscope.diagnose.layer_facts import LayerFacts
from layerscope.diagnose.losses.classification_loss import log_of_sum
from layerscope.diagnose.losses.loss_kind import OF_CLASSES, Loss, LossView
from layerscope.diagnose.losses.loss_level import loss_of
from layerscope.diagnose.losses.loss_view import view_loss
from layerscope.diagnose.losses.regression_loss import within_range
from layerscope.diagnose.losses.shares import Shares, shares_of
from layerscope.figures.attention_masks import mask_figures
from layerscope.figures.class_weights import ignored_figures
from layerscope.figures.contrast import scale_of_cosines
from layerscope.figures.directions import direction_figures, is_mean_cosine
from layerscope.figures.inputs import Matrix, input_figures, rms
from layerscope.figures.kept_between_looks import KeptBetweenLooks
from layerscope.figures.latents import latent_figures
from layerscope.figures.looked_at_outputs import (
    critic_slope,
    dropped,
    picked_outputs,
    sums_to_one,
    target_column,
    targets_are_inputs,
    targets_are_next,
)
from layerscope.figures.numbered_labels import NumberedLabels
from layerscope.figures.overwritten_data import OverwrittenData
from layerscope.figures.parameter_figures import ParameterFigures
from layerscope.figures.repeated_batch import RepeatedBatch
from layerscope.figures.repeated_tokens import commonest_token
from layerscope.figures.rounded_ids import RoundedIds
from layerscope.figures.same_noise import SameNoise
from layerscope.figures.scaled_batches import ScaledBatches
from layerscope.figures.target_tail import TargetTail
from layerscope.figures.targets import target_figures
from layerscope.figures.targets_apart import TargetsApart
from layerscope.figures.tokens import token_figures
from layerscope.figures.uncalled import Uncalled
from layerscope.figures.whole_set import WholeSet
from layerscope.record.ends.ends import Ends, Output
from layerscope.record.look import Look
from layerscope.record.observation import Observation
from layerscope.record.parameters.layer_parameter import LayerParameter


class LookFigures:
    """Makes figures of what was looked at, step after step of one run."""

    def __init__(self) -> None:
        self._labels: Counter[int] = Counter()
        self._uncalled = Uncalled()
        self._parameters = ParameterFigures()
        self._at: dict[str, int] = {}
        self._batch, self._whole, self._tail = RepeatedBatch(), WholeSet(), TargetTail()
        self._numbered, self._overwritten = NumberedLabels(), OverwrittenData()
        self._noise, self._ids = SameNoise(), RoundedIds()
        self._apart, self._scaled = TargetsApart(), ScaledBatches()
        self._may_have_column = True  # until no column of one batch is its targets

    def state(self) -> dict[str, Any]:
        """What is known of data and targets so far, as plain types: for a checkpoint."""
        seen = {int(label): int(count) for label, count in self._labels.items()}
        kept = {name: each.state() for name, each in self._kept.items()}
        return {"seen": seen, "kept": kept, "may_have_column": self._may_have_column}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._labels = Counter(state["seen"])
        self._may_have_column = state["may_have_column"]
        for name, each in self._kept.items():
            each.load_state(state["kept"][name])

    @property
    def _kept(self) -> dict[str, KeptBetweenLooks]:
        every = vars(self).items()
        return {name: each for name, each in every if isinstance(each, KeptBetweenLooks)}

    def meet(
        self,
        layers: Sequence[LayerFacts],
        parameters: Sequence[LayerParameter],
        all_of_them: Mapping[str, Sequence[tuple[str, nn.Parameter]]],
    ) -> None:
        """From now on these layers have these parameters, of which all are not measured."""
        self._at = {facts.name: place for place, facts in enumerate(layers)}
        self._parameters.meet(layers, parameters, all_of_them)

    def fill(self, observation: Observation, look: Look, of_layers: Array, of_step: Array) -> None:
        """Write what was seen in a step among its figures.

        Args:
            of_layers: float32 [layers, len(LAYER_FIGURES)].
            of_step: float32 [len(STEP_FIGURES)].
        """
        loss = observation.loss_of_output if observation.has_loss else math.nan
        with np.errstate(all="ignore"):
            figures = self._of_ends(look.ends, loss, observation.scale)
        figures |= {**look.figures, "gradient_norm": look.gradient_norm.get()}
        if "planned_steps" not in look.figures:  # a trainer takes the batches itself
            ends = look.ends
            figures["batch_of"] = self._batch.see(ends.data, ends.tokens, ends.given_is_kept)
        about = figures.get("input_rms", math.nan), figures.get("input_zeros", math.nan)
        figures["data_overwritten"] = self._overwritten.see(*about)
        figures["whole_set"] = self._whole.see(look.ends.data)
        figures["input_by_batch"] = float(self._scaled.see(look.ends.data))
        if look.ownership is not None:
            figures |= look.ownership.figures
        for name, value in figures.items():
            of_step[STEP_COLUMN[name]] = value
        for name, spread in look.row_spreads.items():
            of_layers[self._at[name], LAYER_COLUMN["weight_row_spread"]] = spread
        for seen_at in look.inside.values():
            for name, seen in seen_at.items():
                for figure, value in seen.figures().items():
                    of_layers[self._at[name], LAYER_COLUMN[figure]] = value
        for name, to_padding in mask_figures(look.inside.get("attention", {}), look.ends).items():
            of_layers[self._at[name], LAYER_COLUMN["attention_to_padding"]] = to_padding
        self._parameters.fill(look, of_layers, skipped=observation.skipped)

    def _of_ends(self, ends: Ends, loss: float, scale: float) -> dict[str, float]:
        figures = {**input_figures(ends.data), **ends.figures}
        figures["ids_rounded"] = self._ids.see([(at, each.get()) for at, each in ends.numbers])
        figures["token_share"] = commonest_token([each.numpy() for each in ends.tokens])
        if ends.kept_by_one is not None:
            figures["gradients_kept_by_one"] = float(ends.kept_by_one.get())
        if ends.gradients_divided is not None:
            figures["gradients_divided"] = ends.gradients_divided.get()
        if ends.asked is not None:
            judge, maker = ends.asked
            figures |= {"judge_asks": judge.get(), "maker_asks": maker.get()}
        candidates = 0 if ends.form is None else ends.form.candidates
        if ends.towers and candidates and loss > math.log(candidates) / 2:  # else it has got below
            one, on_one, other, on_other = (each.get().numpy() for each in ends.towers)
            slopes = on_one / scale, on_other / scale
            figures["logit_scale"] = scale_of_cosines(one, slopes[0], other, slopes[1])
        if ends.pair:
            figures |= latent_figures([e.get().numpy() for e in ends.pair], ends.output, ends.data)
        if (output := ends.output) is not None:
            figures |= self._of_output(ends, output, loss, scale)
            is_of_tokens = ends.given and figures.get("loss_kind") == Loss.CROSS_ENTROPY
            gradient = output.gradient if is_of_tokens else None
            if gradient is not None and (tokens := [each.numpy() for each in ends.tokens]):
                figures |= token_figures(tokens, gradient.numpy(), output.samples, output.every)
        figures |= {} if ends.form is None else ends.form.figures()
        if ends.softmax_within and figures.get("softmax_over_samples") == 0:
            figures["softmax_over_samples"] = 2.0
        return figures

    def _of_output(self, ends: Ends, output: Output, loss: float, scale: float) -> dict[str, float]:
        values = output.values.numpy()
        function = LastFunction[(output.function.name or "none").upper()]
        figures = {"output_function": float(function), **_of_values(output, values)}
        if output.gradient is None:
            return figures
        gradient = output.gradient.numpy() / scale
        figures["output_dropped"] = dropped(values, gradient)
        figures["output_alone"] = float(output.alone and not output.has_terms)
        figures["axes_mixed"] = float(output.mixes_axes.get())
        figures["bootstrapped"] = float(output.bootstrapped.get())
        figures["output_grad_sign"] = abs(float(np.sign(gradient).sum())) / gradient.size
        if values.shape[1] == 1 and len(values) == output.samples:
            data = [each.values.numpy() for each in ends.data]
            figures["critic_slope"] = critic_slope(values, gradient, loss, data)
        figures |= (directions := direction_figures(values, gradient))
        if directions and loss < 0 and ends.form is not None and len(values) == output.samples:
            of_cosines = ends.form.of_cosines and is_mean_cosine(values, gradient, loss)
            figures["loss_of_cosines"] = float(of_cosines)
        square = output.gradient_square / scale**2
        view = view_loss(values, gradient, output.samples, loss, square)
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
        view = within_range(view, values, *function.range)
        given = [each.values.numpy() for each in ends.data]
        given += [] if output.given is None else [output.given.get().numpy()]
        figures |= {
            "loss_kind": float(view.kind),
            # Of a loss that is made of several outputs one does not know this one's part.
            "loss_reduction": view.reduction if output.alone else math.nan,
            "targets_broadcast": float(view.broadcast),
            "loss_negated": float(turned),
            "loss_activated": float(view.activated and not ends.of_actions),
            "targets_are_inputs": targets_are_inputs(view, values, given),
            "same_noise": self._noise.see(view, values, given),
            "value_shift": _value_shift(ends, output, view, values),
        }
        if view.kind in (Loss.LOG_LIKELIHOOD, Loss.LOG_OF_OUTPUT) and output.function.over_middle:
            figures["softmax_beside_classes"] = 1.0  # the loss takes them along the last axis
        if view.kind is Loss.CROSS_ENTROPY:
            figures["logit_z"] = float(log_of_sum(values).mean())
            figures["temperature"] = view.temperature
            if output.alone and not math.isnan(scale := output.function.cosine_scale):
                figures["logit_scale"] = abs(scale) / view.temperature
        if output.alone and loss > 0 and len(values) == output.samples:
            figures["loss_beside"] = 1 - loss_of(view, values) / loss
        if ends.of_actions:
            return figures
        figures |= target_figures(view, output, values, self._labels)
        if output.alone:
            figures |= self._tail.figures(view, values, by_sample=output.by_sample)
            if view.kind in OF_CLASSES and view.targets is not None:
                numbered = self._numbered.see(view.targets[:, 0].astype(np.int64))
                figures["labels_numbered"] = numbered
            if output.by_sample or view.kind is Loss.SQUARED_ERROR:  # of maps most is ground
                figures["targets_apart"] = self._apart.see(view)
            of_rows = len(values) == output.samples and output.by_sample and not ends.given
            if of_rows and self._may_have_column:
                raw = [each.values.numpy() for each in ends.data if not each.is_part]
                figures["target_column"] = column = target_column(view, raw)
                self._may_have_column = column != -1
        if output.alone and not ends.given:  # of tokens most classes are never the likeliest
            figures |= self._uncalled.figures(view, values, self._labels)
        if output.alone and output.by_sample and not ends.given:  # of tokens padding is left out
            figures |= ignored_figures(view, values, self._labels)
        return figures


def _value_shift(ends: Ends, output: Output, view: LossView, values: Matrix) -> float:
    """1 if targets are the next of the numbers that the network gets, and it gets no others; else
    0; NaN where the network was called with nothing of its output's shape.
    """
    if output.given is None or len(ends.data) != 1 or ends.tokens:
        return math.nan
    return float(targets_are_next(view, values, output.given.get().numpy(), output.every))


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
    if len(values) == output.samples and values.shape[1] > 1:  # or one state, no batch
        figures["output_columns_one"] = float(sums_to_one(values, axis=0))
    return figures
