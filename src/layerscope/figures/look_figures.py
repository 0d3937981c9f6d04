"""What was seen beside the layers, as figures of data, loss and optimizers."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from layerscope.diagnose.losses.loss_kind import Loss
from layerscope.diagnose.measured.figure_names import LAYER_COLUMN, STEP_COLUMN
from layerscope.diagnose.measured.figures import Array
from layerscope.diagnose.measured.layer_facts import LayerFacts
from layerscope.figures.contrast import scale_of_cosines
from layerscope.figures.far_values import EvaluatedInputs, FarValues
from layerscope.figures.inputs import input_figures
from layerscope.figures.kept_between_looks import KeptBetweenLooks
from layerscope.figures.latents import latent_figures
from layerscope.figures.output_figures import OutputFigures, at_once
from layerscope.figures.overwritten_data import OverwrittenData
from layerscope.figures.parameter_figures import ParameterFigures
from layerscope.figures.repeated_batch import RepeatedBatch, WholeSet
from layerscope.figures.returns import returns_are_zero
from layerscope.figures.scaled_batches import ScaledBatches
from layerscope.figures.targets_beside import targets_beside
from layerscope.figures.token_ids import RoundedIds, commonest_token
from layerscope.figures.tokens import Tokens, token_figures
from layerscope.record.attention.heads import Heads
from layerscope.record.ends.ends import Ends
from layerscope.record.look import Look
from layerscope.record.observation import Observation
from layerscope.record.parameters.layer_parameter import LayerParameter
from layerscope.record.place import Seen


class LookFigures:
    """Makes figures of what was looked at, step after step of one run."""

    def __init__(self) -> None:
        self._output, self._parameters = OutputFigures(), ParameterFigures()
        self._at: dict[str, int] = {}
        self._batch, self._whole, self._overwritten = RepeatedBatch(), WholeSet(), OverwrittenData()
        self._ids, self._scaled, self._far = RoundedIds(), ScaledBatches(), FarValues()
        self._evaluated = EvaluatedInputs()

    def state(self) -> dict[str, Any]:
        """What is known of data and targets so far, as plain types: for a checkpoint."""
        seen = {int(label): int(count) for label, count in self._output.labels.items()}
        kept = {name: each.state() for name, each in self._kept.items()}
        return {"seen": seen, "kept": kept, "may_have_column": self._output.may_have_column}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave."""
        self._output.labels = Counter(state["seen"])
        self._output.may_have_column = state["may_have_column"]
        for name, each in self._kept.items():
            each.load_state(state["kept"][name])

    @property
    def _kept(self) -> dict[str, KeptBetweenLooks]:
        every = (vars(self) | vars(self._output)).items()
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
        figures |= at_once(look.figures)
        if "planned_steps" not in look.figures:  # a trainer takes the batches itself
            ends = look.ends
            figures["batch_of"] = self._batch.see(ends.data, ends.tokens, ends.given_is_kept)
        about = figures.get("input_rms", math.nan), figures.get("input_zeros", math.nan)
        figures["data_overwritten"] = self._overwritten.see(*about)
        figures["whole_set"] = self._whole.see(look.ends.data)
        figures["input_by_batch"] = float(self._scaled.see(look.ends.data))
        figures |= self._far.see(look.ends.data)
        figures["evaluated_scale"] = self._evaluated.see(look.ends.data, look.ends.evaluated)
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
        loss = loss if ends.loss is None else float(ends.loss.get())
        if ends.output is not None:
            ends = replace(ends, output=ends.output.along_classes())
        figures = {**input_figures(ends.data), **at_once(ends.figures)}
        figures["ids_rounded"] = self._ids.see([(at, each.get()) for at, each in ends.numbers])
        rows = [each.rows for each in ends.data if each.rows]
        figures["input_rows"] = max(rows, default=math.nan)
        figures["token_share"] = commonest_token([each.numpy() for each in ends.tokens])
        candidates = 0 if ends.form is None else ends.form.candidates
        if ends.towers and candidates and loss > math.log(candidates) / 2:  # else it has got below
            one, on_one, other, on_other = (each.get().numpy() for each in ends.towers)
            slopes = on_one / scale, on_other / scale
            figures["logit_scale"] = scale_of_cosines(one, slopes[0], other, slopes[1])
        if ends.pair:
            figures |= latent_figures([e.get().numpy() for e in ends.pair], ends.output, ends.data)
        figures |= targets_beside(ends, loss, scale) | returns_are_zero(ends)
        if (output := ends.output) is not None:
            figures |= self._output.of(ends, output, loss, scale)
            is_of_tokens = ends.given and figures.get("loss_kind") == Loss.CROSS_ENTROPY
            gradient = output.gradient if is_of_tokens else None
            if gradient is not None and (tokens := [each.numpy() for each in ends.tokens]):
                figures |= token_figures(tokens, gradient.numpy(), output.samples, output.every)
        figures |= {} if ends.form is None else ends.form.figures()
        if ends.softmax_within and figures.get("softmax_over_samples") == 0:
            figures["softmax_over_samples"] = 2.0
        return figures


_DIFFERENT = 8
"""Tokens that are hidden: padding is one token, and text is many."""


def mask_figures(attention: Mapping[str, Seen], ends: Ends) -> dict[str, float]:
    """1 of an attention whose mask hides all but padding, by place; if samples have their own."""
    figures: dict[str, float] = {}
    tokens: list[Tokens] | None = None
    for name, heads in attention.items():
        if isinstance(heads, Heads) and heads.visible is not None:
            tokens = [each.numpy() for each in ends.tokens] if tokens is None else tokens
            visible = heads.visible.get().numpy()
            figures[name] = float(sees_padding_only(visible, heads.samples, tokens))
    return figures


def sees_padding_only(
    visible: npt.NDArray[np.bool_], samples: int, tokens: Sequence[Tokens]
) -> bool:
    """Whether the keys that may be looked at are all of one token, at the end or the beginning of
    its sequences and nowhere else, and all others may not.

    Args:
        visible: [some samples, keys].
        samples: how many there are in all, of which those are evenly spaced.
        tokens: what embeddings got, [rows, columns] each, along either axis.
    """
    keys = visible.shape[1]
    each_from = -(-samples // len(visible))  # with heads or beams beside each other, if there are
    for matrix in (turned for each in tokens for turned in (each, each.T)):
        rows, columns = matrix.shape
        if columns != keys or samples % rows:
            continue
        of_samples = matrix[np.arange(0, samples, each_from) * rows // samples]
        if len(of_samples) == len(visible) and _is_padding(visible, of_samples):
            return True
    return False


def _is_padding(visible: npt.NDArray[np.bool_], tokens: Tokens) -> bool:
    seen = tokens[visible]
    if not seen.size or (seen != seen[0]).any() or (tokens[~visible] == seen[0]).any():
        return False
    behind = np.sort(visible, axis=1)
    is_run = (visible == behind).all() or (visible == behind[:, ::-1]).all()
    several = len(np.unique(visible.sum(1))) > 1
    return bool(is_run) and several and len(np.unique(tokens[~visible])) >= _DIFFERENT
