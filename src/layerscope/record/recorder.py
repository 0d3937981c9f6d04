"""Hooks on a network's layers, and what they measured in a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from layerscope.measure.pending import Pending
from layerscope.measure.row_state import merge_ranks
from layerscope.quantity import Quantity
from layerscope.record.channel import Channel
from layerscope.record.hook_state import HookState
from layerscope.record.layer_output import LayerOutput
from layerscope.record.layer_parameter import values_of, why_not_measured
from layerscope.record.layers import Layer
from layerscope.record.loss_units import in_units_of_the_loss
from layerscope.record.newcomers import (
    Newcomers,
    absorb,
    absorb_units,
    in_network_order,
    rows_of_units,
)
from layerscope.record.observation import Observation
from layerscope.record.output_hook import OutputHook
from layerscope.record.plan import Plan, plan
from layerscope.record.recorder_options import RecorderOptions
from layerscope.record.updates import UpdateReading, Updates

IN_EVALUATION_MODE = (
    "the network was in evaluation mode during training: call its train() before the first step"
)
"""Why a layer that was called is not measured."""


class Recorder:
    """Measures a network's layers while it trains: a context manager that owns its hooks.

    A forward hook measures each layer's output where it lies, at once, and puts a hook on that
    tensor which measures its gradient on the way back; no tensor is kept, none is changed, and the
    network's random state is not touched. While it is not `counting` the hooks return at once.
    Micro-batches add up until `observe` reads and empties the rows.

    Args:
        layers: which to watch, from `choose_layers`.
        options: what to measure of them.
        network: nothing is measured while it is in evaluation mode; None: whatever the mode.

    Attributes:
        state: what the hooks share: their clock, and what went wrong in them.
        plan: what is measured into which row; another one once a layer has given several tensors.
        in_evaluation_mode: layers that were called, with gradients, while the network was in
            evaluation mode, in a step in which nothing was called in training mode: that step.
        is_merged: whether `combine` is called before each `observe`; False at first.
        lost: channels that were not measured in a step, since a tensor was changed in place between
            its layer's call and the step's end, which had not been seen before; taken by whoever
            tells of it.
        scaled: quantities that carry a gradient scaler's factor, which `carry` is told.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        options: RecorderOptions | None = None,
        network: nn.Module | None = None,
    ) -> None:
        # Under torch.compile a hook that touches the wrapper would be traced into it.
        self.state = state = HookState(getattr(network, "_orig_mod", network))
        self._options = options or RecorderOptions()
        self._layers = list(layers)
        self.scaled: frozenset[Quantity] = frozenset()
        self.is_merged = False
        self.lost: dict[Channel, None] = {}
        self.in_evaluation_mode: dict[str, int] = {}
        self._fired_before: set[str] = set()
        self._unfired: dict[str, str] = {}
        self._handles: list[RemovableHandle] = []
        self._newcomers = Newcomers(self._layers, self._options, state)
        per_call = self._options.per_call
        self._hooks = [
            OutputHook(layer, state, self._newcomers.meet, per_call) for layer in self._layers
        ]
        expected = []
        for hook in self._hooks:
            if hook.layer.has_output and not per_call:
                expected.append(LayerOutput(hook.layer, hook.layer.name, state))
                hook.expect(expected[-1])
        self._follow(plan(self._layers, expected, self._options))

    def _follow(self, made: Plan) -> None:
        self.plan = made
        self._updates = Updates([each.parameter for each in made.parameters])
        for each in made.parameters:
            if (why := why_not_measured(each.parameter)) is not None:
                self.state.not_measured[f"{each.channel.layer}.{each.channel.quantity}"] = why

    def replace(self, layers: Sequence[Layer]) -> None:
        """Go on with other modules and parameters in the places of those before: the network has
        changed. What was measured in this step stays.

        Args:
            layers: as many as before, under the same names; functions are none of them.
        """
        is_on, counting = bool(self._handles), self.counting
        self.detach()
        if self._newcomers:
            self.settle()
        self._put_into_bins()
        others = iter(layers)
        self._layers = [each if each.function else next(others) for each in self._layers]
        self._newcomers.follow(self._layers)
        for hook, layer in zip(self._hooks, self._layers, strict=True):
            hook.follow(layer)
        before, units = self.plan, rows_of_units(self.plan.outputs)
        self._follow(plan(self._layers, before.outputs, self._options))
        absorb(self.plan, before, ())
        absorb_units(self.plan.outputs, units)
        if is_on:
            self.attach()
            self.counting = counting

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The watched layers; activation functions that are no modules come in as they are met."""
        return tuple(self._layers)

    def add_function(self, layer: Layer, after: str) -> OutputHook:
        """Watch a function from now on, which is none of the network's modules.

        Args:
            layer: made of it.
            after: the name of the layer that it follows; "" if it comes before all.

        Returns:
            What to call with each of its outputs, as a forward hook is called.
        """
        at = next((i + 1 for i, each in enumerate(self._layers) if each.name == after), 0)
        while at < len(self._layers) and self._layers[at].function:
            at += 1
        hook = OutputHook(layer, self.state, self._newcomers.meet, self._options.per_call)
        self._layers.insert(at, layer)
        self._hooks.insert(at, hook)
        return hook

    def sort_functions(self) -> None:
        """Put functions that follow the same layer in the order of their names, which is the same
        on all ranks.
        """
        order, number = {}, 0
        for layer in self._layers:
            number += not layer.function
            order[layer.name] = number, layer.function and layer.name
        self._layers.sort(key=lambda layer: order[layer.name])
        self._hooks.sort(key=lambda hook: order[hook.layer.name])

    def functions(self) -> list[tuple[str, str, str, str]]:
        """(name, path, function, name of the layer before) of each function, for other ranks."""
        found, before = [], ""
        for layer in self._layers:
            if layer.function:
                found.append((layer.name, layer.path, layer.function, before))
            else:
                before = layer.name
        return found

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What each row of the tally holds."""
        return self.plan.channels

    @property
    def counting(self) -> bool:
        """Whether the hooks measure; False at first."""
        return self.state.counting

    @counting.setter
    def counting(self, counting: bool) -> None:
        self.state.counting = counting

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        if self._handles:
            return
        for hook in self._hooks:
            if hook.layer.function or not hook.layer.has_output:
                continue
            if isinstance(hook.layer.module, torch.jit.ScriptModule):
                why = "it is scripted, and torch.jit takes no hooks"
                self.state.not_measured[hook.layer.name] = why
            else:
                self._handles.append(
                    hook.layer.module.register_forward_hook(hook, with_kwargs=True)
                )

    def detach(self) -> None:
        """Take the hooks off, and stop counting."""
        self.state.counting = False
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.state.leave_lasting_tensors()

    def release(self) -> None:
        """Let go of the step's tensors; of what was not measured yet nothing will be known."""
        if self.plan.held is not None:
            self.plan.held.release()

    def __enter__(self) -> Self:
        """Put the hooks on."""
        self.attach()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Take the hooks off, whatever happened."""
        self.detach()

    def measure_gradients(self, of: Callable[[nn.Parameter], bool] | None = None) -> None:
        """Measure what the optimizer is about to receive: call it before clipping, unscaled.

        Of a sparse gradient the values of the rows that it touches are measured.

        Args:
            of: which parameters; all if None.
        """
        self._measure(
            [
                (each.gradient, values_of(each.parameter.grad))
                for each in self.plan.parameters
                if each.gradient >= 0
                and each.parameter.grad is not None
                and (of is None or of(each.parameter))
            ]
        )

    def _measure(self, tensors: Sequence[tuple[int, Tensor]] = ()) -> None:
        """Measure what is held, and these tensors."""
        made = self.plan
        whole = not (self.is_merged or self._newcomers)
        if made.held is None:
            made.tally.add_all(tensors)
            return
        unusual = made.held.measure(whole, tensors)
        for row in unusual.lost:
            self.lost[made.channels[row]] = None
        for row, given in unusual.not_finite:
            made.outputs[row].find_cause(given)

    def _put_into_bins(self) -> None:
        """Measure what is held, so that the rows of another plan can take it."""
        self._measure()
        if self.plan.held is not None:
            self.plan.held.put_into_bins()
            self.plan.held.release()

    def measure_weights(self) -> None:
        """Measure the weights as they are now."""
        self.plan.tally.add_all(
            [(each.value, each.parameter) for each in self.plan.parameters if each.value >= 0],
            whole=True,
        )

    def begin_update(self, of: Callable[[nn.Parameter], bool]) -> None:
        """Copy the weights, to tell after the optimizer's step what it has changed.

        Args:
            of: which parameters the step may change.
        """
        self._updates.begin([of(each.parameter) for each in self.plan.parameters])

    def end_update(
        self, of: Callable[[nn.Parameter], bool] | None = None
    ) -> Pending[UpdateReading] | None:
        """What the step has changed; see `Updates.end`. None where nothing could change.

        Args:
            of: of the parameters that were copied, those to tell of; all if None.
        """
        parameters = self.plan.parameters
        if of is not None:
            self._updates.leave_out([not of(each.parameter) for each in parameters])
        changes = zip(parameters, self._updates.differences(), strict=True)
        self.plan.tally.add_all(
            [(each.update, x) for each, x in changes if each.update >= 0 and x is not None],
            whole=True,
        )
        return self._updates.end()

    def carry(self, slot: int, scalar: Tensor) -> None:
        """Add a scalar, such as a micro-batch's loss, to what travels with the figures."""
        self.plan.tally.carry(slot, scalar.detach())

    @property
    def has_newcomers(self) -> bool:
        """Whether an output turned up that has no row yet."""
        return bool(self._newcomers)

    def found_outputs(self) -> list[tuple[str, str, int]]:
        """(layer, output, order) of all that is measured, for `settle` on another rank."""
        outputs = (*self.plan.outputs, *self._newcomers.waiting)
        return [(each.layer.name, each.name, each.order) for each in outputs if each.order >= 0]

    def settle(self, also: Iterable[tuple[str, str, int]] = ()) -> None:
        """Give newcomers rows among the others, with what they have measured.

        Args:
            also: (layer, output, order) of what other ranks have found, so that all ranks come to
                the same rows.
        """
        self._put_into_bins()
        before = self.plan
        for layer, output in self._newcomers.meet_all(also, before.outputs):
            self._hooks[layer].expect(output)
        outputs = (*before.outputs, *self._newcomers.waiting)
        measured = self._newcomers.leave()  # before the plan gives them other rows
        units = rows_of_units(outputs)
        kept, forgotten = in_network_order(self._layers, outputs)
        for layer, output in forgotten:
            self._hooks[layer].forget(output)
        self._follow(plan(self._layers, kept, self._options))
        absorb(self.plan, before, measured)
        absorb_units(self.plan.outputs, units)

    def combine(self, rank: int, ranks: int, all_reduce: Callable[[Tensor, str], None]) -> None:
        """Merge what all ranks of a distributed training have measured; before `observe`.

        Weights and their gradients are the same on all ranks, and stay as they are.

        Args:
            rank: this process, from 0.
            ranks: how many there are.
            all_reduce: (tensor, "sum", "min" or "max"): in place, over all ranks.
        """

        def add_up(tensor: Tensor) -> None:
            all_reduce(tensor, "sum")

        self._measure()
        merge_ranks(self.plan.tally, self.plan.output_rows, rank, ranks, add_up)
        self.plan.tally.merge_carried_of_ranks(add_up)
        self.plan.units.merge_ranks(all_reduce)

    def observe(self, step: int, weights: bool = True, **known: Any) -> Observation:
        """What was measured since the last call, as the observation of a step; empties the rows.

        Args:
            step: the optimizer step.
            weights: whether the weights were measured in this step.
            known: further attributes of the observation.
        """
        self._measure()
        if self._newcomers:
            self.settle()
        if self.state.evaluated:
            self._look_for_evaluation(step)
        data_finite = self.state.data_finite
        self.state.end_round()
        made = self.plan
        channels = made.channels if weights else made.channels[: made.without_weights]
        reading = made.tally.read(len(channels))
        self.release()
        return Observation(
            step,
            channels,
            in_units_of_the_loss(reading, channels, self.scaled, known.get("ranks", 1)),
            made.units.read(step) if made.outputs else None,
            not_finite=made.take_not_finite(),
            data_finite=data_finite,
            **known,
        )

    def _look_for_evaluation(self, step: int) -> None:
        """Whether all that was called since the last such look was in evaluation mode."""
        fired = {hook.layer.name for hook in self._hooks if hook.fired}
        for hook in self._hooks:
            hook.fired = False
        self._fired_before |= fired
        if not fired:
            for name in self.state.evaluated:
                self.in_evaluation_mode.setdefault(name, step)
        self.state.evaluated.clear()

    def with_weights_now(self, observation: Observation) -> Observation:
        """The same observation with the weights as they are now: the trained ones, at the end."""
        made = self.plan
        self.release()
        made.tally.read(len(made.channels))  # what a step that broke off has left
        self.measure_weights()
        now = made.tally.read(len(made.channels)).get()
        return observation.with_rows_from(made.without_weights, made.channels, now)

    def note_unfired(self, reason: str) -> list[str]:
        """The layers whose hooks have never been called while counting, in either mode; they are
        not measured, for this reason, until they are.
        """
        unfired = [
            hook.layer.name
            for hook in self._hooks
            if hook.layer.has_output
            and not hook.layer.function
            and not hook.fired
            and hook.layer.name not in self._fired_before
            and hook.layer.name not in self.in_evaluation_mode
        ]
        self._unfired = dict.fromkeys(unfired, reason)
        return unfired

    def still_not_measured(self) -> dict[str, str]:
        """Layers whose output could not be measured, and why: those that a hook has told of, and
        those that `note_unfired` has told of or that were in evaluation mode, and that have not
        been reached since.
        """
        reached = {output.layer.name for output in self.plan.outputs if output.order >= 0}
        evaluated = dict.fromkeys(self.in_evaluation_mode, IN_EVALUATION_MODE)
        unfired = self._unfired | evaluated
        return {n: why for n, why in unfired.items() if n not in reached} | self.state.not_measured
