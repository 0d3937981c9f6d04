"""What a network gives and the loss asks of it: its output with its gradient, pass by pass."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from layerscope.measure.pending import Pending
from layerscope.measure.pinned_ring import on_host
from layerscope.record.ends.adversaries import Adversaries
from layerscope.record.ends.backward_passes import BackwardPasses
from layerscope.record.ends.ends import Output
from layerscope.record.ends.further_outputs import FurtherOutputs, OutputPair, Towers
from layerscope.record.ends.recurrent_layers import DetachedStates, SequenceAxis
from layerscope.record.graph.bootstrapped import Bootstrapped
from layerscope.record.graph.loss_graph import LossGraph
from layerscope.record.graph.mixed_axes import mixes_axes
from layerscope.record.graph.output_function import output_function
from layerscope.record.graph_nodes import backward_pass
from layerscope.record.hook_state import HookState
from layerscope.record.hooks.quiet_hook import QuietHook
from layerscope.record.outputs import tensors_in
from layerscope.record.parameters.kept_gradients import KeptGradients
from layerscope.record.parameters.uncleared_gradients import GradientsByHand, UnclearedGradients
from layerscope.record.samples import (
    evenly_spaced,
    feature_axis,
    has_memory,
    may_have_a_row_each,
    number_of_samples,
    other_axis,
    samples_alike,
    samples_of,
    sum_of_squares,
)


class _Turned:
    """Some samples of an output with its classes along another axis than they lie as a rule."""

    def __init__(self, tensor: Tensor, axis: int) -> None:
        self._axis, self._rows = axis % tensor.ndim, evenly_spaced(tensor, axis)
        self._samples = number_of_samples(tensor, axis)
        self._values = samples_of(tensor, self._rows, axis)

    def beside(self, output: Output, gradient: Tensor) -> Output:
        """The output with these as its `otherwise`."""
        there = replace(
            output,
            pending=self._values,
            slope=samples_of(gradient, self._rows, self._axis),
            samples=self._samples,
            every=self._rows.step,
            given=None,
            axis=self._axis,
        )
        return replace(output, otherwise=there)


class OutputEnd:
    """Is told what outermost modules give; it keeps samples, not tensors.

    Args:
        state: of the hooks, which is told of the tensors that have some.

    Attributes:
        kept_gradients, uncleared, by_hand: whether gradients are cleared between steps; by each
            optimizer; without one.
        loss_graph: what the loss makes of the outputs.
        states, sequence_axis: of the recurrent layers on the way.
        keeps_first: in every second look the first of several backward passes in a step is looked
            at, else the last: those of a discriminator have one class of targets each.
    """

    def __init__(self, state: HookState, ask: Callable[[], bool]) -> None:
        self._state = state
        self.kept_gradients, self.uncleared = KeptGradients(), UnclearedGradients()
        self.by_hand = GradientsByHand()
        self.loss_graph = LossGraph(ask)
        self.states, self.sequence_axis = DetachedStates(), SequenceAxis()
        self.keeps_first = False
        self._output: Output | None = None
        self._loss: Pending[Tensor] | None = None
        self._passes, self._values = BackwardPasses(), Bootstrapped()
        self._pair, self._towers, self._adversaries = OutputPair(), Towers(), Adversaries()
        self._further = FurtherOutputs()

    def see(self, module: nn.Module, inputs: Any, output: Any) -> None:
        """A module that the training loop has called gives this."""
        hooked = self._state.on_lasting_tensors  # they may be parameters, or be kept
        hooked.extend(self._adversaries.note_made(module, output))
        with_gradient = [each for _, each in tensors_in(output) if each.requires_grad]
        trained = [each for each in with_gradient if each.ndim]
        has_terms, tensor = len(with_gradient) > len(trained), next(iter(trained), None)
        self._passes.given += len(trained)
        for each in trained:
            self.loss_graph.note_output(each)
        hooked.extend(self._towers.watch(trained))
        hooked.extend(self._further.watch(trained[1:]))
        if len(trained) > 2:
            hooked.extend(self._pair.watch(trained[1:]))
        if tensor is None or not has_memory(tensor):
            return
        hooked.extend(self._adversaries.watch(module, inputs, tensor))
        layouts = self._state.layouts
        if layouts is not None and layouts.of(tensor).parts:  # of classes, perhaps
            return
        self.sequence_axis.compare(tensor)
        rows = evenly_spaced(tensor)
        values, function = samples_of(tensor, rows), output_function(tensor)  # loss may change it
        samples, shape = number_of_samples(tensor), tensor.shape
        axis, other = feature_axis(tensor.ndim) % tensor.ndim, other_axis(tensor.ndim)
        turned = None if other is None else _Turned(tensor, other)
        alike = samples_alike(inputs, shape, rows)
        by_sample = len(shape) <= 2 and may_have_a_row_each(inputs, shape)
        wanted = [each for _, each in tensors_in(inputs) if each.requires_grad]  # as an attack's
        of_data = any(each.is_leaf for each in wanted)  # or of what draws samples by gradients
        kind = id(module), tuple(shape[1:])
        number = self._passes.note_call(kind, len(tensor))

        def note_reached(_: Tensor) -> None:
            self._passes.note_reached(kind, number)

        # Of a recurrence that the loop steps through, an early output may be nobody's: the loss
        # comes to that call by the state that it gave to the next.
        beside = {id(each): each for each in trained[1:] if each is not tensor}.values()
        hooked.extend(each.register_hook(QuietHook(note_reached)) for each in beside)  # type: ignore[no-untyped-call]

        def see_gradient(gradient: Tensor) -> None:
            given, passes = self._passes.given, self._passes
            passes.note_reached(kind, number)
            discounted = self._values.compare(gradient, given)
            aside = self._begin_backward(of_inputs=bool(wanted), of_data=of_data)
            is_first = self.keeps_first and passes.number > 1
            # By the inputs: a penalty's, or an equation's term.
            with_graph = torch.is_grad_enabled()
            is_slope = with_graph and of_data
            passes.note_pass(backward_pass(), of_data=of_data, with_graph=with_graph)
            if is_first or is_slope or (aside and self._output):
                return
            if has_memory(gradient) and gradient.shape == shape:
                slope, square = samples_of(gradient, rows), sum_of_squares(gradient)
                told = values, slope, samples, function, passes.together <= 1, square, has_terms
                shows = {"axes_mixed": mixes_axes(gradient), "bootstrapped": discounted}
                beside = shows, by_sample, alike, axis
                found = Output(*told, rows.step, *beside)
                self._output = found if turned is None else turned.beside(found, gradient)

        hooked.append(tensor.register_hook(QuietHook(see_gradient)))  # type: ignore[no-untyped-call]

    def _begin_backward(self, *, of_inputs: bool, of_data: bool) -> bool:
        """A gradient comes to an output: whether it is another's than the loss's, if another pass
        comes.
        """
        self.states.forget()
        given = self._passes.given > 0
        self.kept_gradients.look(begins=given, counts=not of_inputs)
        if given:
            self.uncleared.look()
            self.by_hand.look()
        aside = torch.is_grad_enabled() or of_data
        self._passes.note_gradient(self.kept_gradients.weights, counts=not aside)
        return aside

    def note_losses(self, losses: Sequence[Tensor]) -> None:
        """The losses of the step, of which one is that of the pass that is looked at if there are
        as many as passes.
        """
        if len(losses) == self._passes.number:
            self._loss = on_host(losses[0 if self.keeps_first else -1])

    def take(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What was seen since the last call: fields of `Ends`, and figures; None is not known."""
        judge, maker = self._adversaries.take() or (None, None)
        figures = {
            "gradients_kept": self.by_hand.take(),
            **self.kept_gradients.take(),
            "gradients_kept_by_one": self.uncleared.take(),
            "gradients_divided": self.kept_gradients.take_division(),
            "judge_asks": judge,
            "maker_asks": maker,
            "term_cut_off": self._adversaries.take_in_vain(),
            "graphs_kept": self.loss_graph.kept.count(),  # before this step's are among them
            "passes": self._passes.added,
            "passes_unlearned": self._passes.unlearned,
            "slopes_taken": self._passes.of_slopes,
            "slopes_plain": self._passes.plain_slopes,
            "states_detached": self.states.are_detached,
        }
        form, towers = self.loss_graph.take(), self._towers.take()
        if form is not None:
            self._towers.asked = form.candidates > 0
        fields = {
            "output": self._output,
            "loss": self._loss,
            "pair": self._pair.take(),
            "further": self._further.take(),
            "form": form,
            "towers": towers,
        }
        self.states.forget()
        self._output = self._loss = None
        self._passes.end_step()
        self.keeps_first = not self.keeps_first
        return fields, figures
