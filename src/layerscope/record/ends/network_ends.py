"""What goes into a network and what comes out: its data, its output, and the loss's gradient on it.

The modules that the training loop calls are found in the first step: none of the network's others
is running then. Their output is what the loss is made of. The data are what the first layers get
that has no gradient: whatever a network does to a batch before its first layer is done by then.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from layerscope.record.ends.adversaries import Adversaries
from layerscope.record.ends.backward_passes import BackwardPasses
from layerscope.record.ends.detached_states import DetachedStates
from layerscope.record.ends.ends import Ends, Output
from layerscope.record.ends.first_step import FirstStep
from layerscope.record.ends.network_data import NetworkData
from layerscope.record.ends.output_pair import OutputPair
from layerscope.record.ends.padded_ends import PaddedEnds
from layerscope.record.ends.running_calls import RunningCalls
from layerscope.record.ends.sequence_axis import SequenceAxis
from layerscope.record.ends.token_inputs import TokenInputs
from layerscope.record.ends.towers import Towers
from layerscope.record.graph.bootstrapped import Bootstrapped
from layerscope.record.graph.loss_graph import LossGraph
from layerscope.record.graph.mixed_axes import mixes_axes
from layerscope.record.graph.output_function import output_function
from layerscope.record.hook_state import HookState
from layerscope.record.hooks.handles import remove_all
from layerscope.record.hooks.quiet_hook import QuietHook, is_compiled
from layerscope.record.network.layers import Layer
from layerscope.record.outputs import tensors_in
from layerscope.record.parameters.gradients_by_hand import GradientsByHand
from layerscope.record.parameters.kept_gradients import KeptGradients
from layerscope.record.parameters.uncleared_gradients import UnclearedGradients
from layerscope.record.samples import (
    evenly_spaced,
    has_memory,
    may_have_a_row_each,
    number_of_samples,
    samples_alike,
    samples_of,
    sum_of_squares,
)


class NetworkEnds:
    """Looks at a network's data and output in some of its steps; it keeps samples, not tensors.

    Args:
        state: of the hooks, which is told of the data.
        ask: whether to look now: the hooks ask it.

    Attributes:
        first: what is seen in the first step.
        kept_gradients, uncleared, by_hand: whether gradients are cleared between steps; by each
            optimizer; without one.
        loss_graph: what the loss makes of the outputs.
        keeps_first: in every second look the first of several backward passes in a step is looked
            at, else the last: those of a discriminator have one class of targets each.
    """

    def __init__(
        self,
        network: nn.Module,
        layers: Sequence[Layer],
        state: HookState,
        ask: Callable[[], bool],
    ) -> None:
        self._network = network
        self._layers = tuple(layer for layer in layers if layer.has_output)
        self._state = state
        self._ask = ask
        self.kept_gradients, self.uncleared = KeptGradients(), UnclearedGradients()
        self.by_hand = GradientsByHand()
        self._tokens, self._pair, self._values = TokenInputs(ask), OutputPair(), Bootstrapped()
        self._sequence_axis, self.loss_graph = SequenceAxis(), LossGraph(ask)
        self._states, self._padded = DetachedStates(), PaddedEnds(self._tokens.of_shape)
        self.first = FirstStep()
        self._handles: list[RemovableHandle] = []
        self._discovering = True
        self._calls = RunningCalls()
        self._outermost: dict[nn.Module, None] = {}
        self._data = NetworkData(state, ask)
        self._output: Output | None = None
        self._passes, self._adversaries = BackwardPasses(), Adversaries()
        self._towers = Towers()
        self.keeps_first = False

    def replace(self, layers: Sequence[Layer]) -> None:
        """The network has changed: look for its ends and for how its layers hang together anew."""
        is_on = bool(self._handles)
        self.detach()
        self._layers = tuple(layer for layer in layers if layer.has_output)
        self._discovering = True
        self._outermost.clear()
        self._data.first.clear()
        self.first.forget()
        if is_on:
            self.attach()

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on, or where hooks would be compiled in."""
        if self._handles or is_compiled(self._network):
            return
        outside = [self._network] if self._state.is_compiled else list(self._network.modules())
        if not self._state.is_compiled:
            self._handles += self._tokens.attach(outside)
        if self._discovering:
            for module in outside:
                if not isinstance(module, torch.jit.ScriptModule):
                    self._handles += [
                        module.register_forward_pre_hook(QuietHook(self._enter), with_kwargs=True),
                        module.register_forward_hook(QuietHook(self._leave), always_call=True),
                    ]
            for layer in [] if self._state.is_compiled else self._layers:
                self._handles += self._data.hook(layer)
                if not isinstance(layer.module, torch.jit.ScriptModule):
                    reach = functools.partial(self._reach, layer)
                    self._handles.append(layer.module.register_forward_hook(QuietHook(reach)))
            return
        hook, called = QuietHook(self._see_output), self._outermost.keys() & set(outside)
        self._handles += [module.register_forward_hook(hook) for module in called]
        for layer in [] if self._state.is_compiled else self._data.first:
            self._handles += self._data.hook(layer)

    def detach(self) -> None:
        """Take the hooks off."""
        remove_all(self._handles)
        self._calls.clear()

    # Hooks.

    def _enter(self, module: nn.Module, inputs: Any, named: Any) -> None:
        if self._calls.begin(module) and self._ask():
            self.first.begin((inputs, named))

    def _leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        is_outermost = self._calls.end()
        if not self._ask():
            return
        self._sequence_axis.note(module, output)
        for each in (self._states, self._padded, self.first):
            each.note(module, inputs, output)
        if is_outermost:
            self._outermost[module] = None
            self.first.note_returned(output)
            self._see_output(module, inputs, output)

    def _reach(self, layer: Layer, module: nn.Module, inputs: Any, output: Any) -> None:
        self.reach(layer, output)

    def reach(self, layer: Layer, output: Any) -> None:
        """Note a layer's output in the first step."""
        if self._discovering and self._ask():
            self.first.reach(layer, output)

    def _see_output(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if not self._ask():
            return
        self._adversaries.note_made(module, output)
        with_gradient = [each for _, each in tensors_in(output) if each.requires_grad]
        trained = [each for each in with_gradient if each.ndim]
        has_terms, tensor = len(with_gradient) > len(trained), next(iter(trained), None)
        self._passes.given += len(trained)
        for each in trained:
            self.loss_graph.note_output(each)
        self._state.on_lasting_tensors.extend(self._towers.watch(trained))
        if len(trained) > 2:
            self._state.on_lasting_tensors.extend(self._pair.watch(trained[1:]))
        if tensor is None or not has_memory(tensor):
            return
        judged = self._adversaries.watch(module, inputs, tensor)
        self._state.on_lasting_tensors.extend(judged)
        layouts = self._state.layouts
        if layouts is not None and layouts.of(tensor).parts:  # of classes, perhaps
            return
        self._sequence_axis.compare(tensor)
        rows = evenly_spaced(tensor)
        values, function = samples_of(tensor, rows), output_function(tensor)  # loss may change it
        samples, shape = number_of_samples(tensor), tensor.shape
        alike = samples_alike(inputs, shape, rows)
        by_sample = len(shape) <= 2 and may_have_a_row_each(inputs, shape)
        wanted = [each for _, each in tensors_in(inputs) if each.requires_grad]  # as an attack's
        of_data = any(each.is_leaf for each in wanted)  # or of what draws samples by gradients
        kind = id(module), tuple(shape[1:])
        number = self._passes.note_call(kind, len(tensor))

        def see_gradient(gradient: Tensor) -> None:
            self._states.forget()
            given, passes = self._passes.given, self._passes
            passes.note_reached(kind, number)
            self.kept_gradients.look(begins=given > 0, counts=not wanted)
            if given > 0:
                self.uncleared.look()
                self.by_hand.look()
            discounted = self._values.compare(gradient, given)
            makes_graph = torch.is_grad_enabled()
            aside = makes_graph or of_data  # if another pass comes, that one is the loss's
            passes.note_gradient(self.kept_gradients.weights, counts=not aside)
            is_first = self.keeps_first and passes.number > 1
            is_slope = makes_graph and of_data  # by the inputs: a penalty's, or an equation's term
            if is_first or is_slope or (aside and self._output):
                return
            if has_memory(gradient) and gradient.shape == shape:
                slope, square = samples_of(gradient, rows), sum_of_squares(gradient)
                told = values, slope, samples, function, passes.together <= 1, square, has_terms
                beside = mixes_axes(gradient), discounted, by_sample, alike
                self._output = Output(*told, rows.step, *beside)

        handle = tensor.register_hook(QuietHook(see_gradient))  # type: ignore[no-untyped-call]
        self._state.on_lasting_tensors.append(handle)  # it may be a parameter, or be kept

    def take(self) -> Ends:
        """What was seen since the last call; the first call ends the search for both ends."""
        graphs_kept = self.loss_graph.kept.count()  # before this step's are among them
        self._end_discovery()
        first = self.first
        by_hand = self.by_hand.take()
        figures = {
            **({} if by_hand is None else {"gradients_kept": by_hand}),
            **self.kept_gradients.take(),
            "graphs_kept": graphs_kept,
            "last_padding": self._padded.share,
            "passes": self._passes.added,
            "passes_unlearned": self._passes.unlearned,
            "along_batch": self._sequence_axis.of_batch or 3 * first.places.differ,
            "states_detached": self._states.are_detached,
            "views_mixed": first.views.are_any,
            "order_read": first.order.is_any,
        }
        form = self.loss_graph.take()
        towers = self._towers.take()
        if form is not None:
            self._towers.asked = form.candidates > 0
        is_kept = self._tokens.are_kept
        ends = Ends(
            self._data.take(),
            self._output,
            self._tokens.take(),
            is_kept,
            self._pair.take(),
            form,
            self.uncleared.take(),
            first.softmax.over_samples,
            self._adversaries.take(),
            self.kept_gradients.take_division(),
            towers,
            {name: float(it) for name, it in figures.items()},
        )
        self._states.forget()
        self._output = None
        self._passes.end_step()
        self.keeps_first = not self.keeps_first
        return ends

    def _end_discovery(self) -> None:
        """Look at the first step's graph, before that is told of: a resumed run has its own."""
        if not (self._discovering and (self._outermost or self.first.has_reached)):
            return
        self.first.end(self._network, {layer.name for layer in self._data.first})
        self._discovering = False
        if self._handles:
            self.detach()
            self.attach()
