"""Hooks on a network's layers, and what they measured in a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from layerscope.measure.device_tally import tally_for
from layerscope.measure.device_units import units_for
from layerscope.measure.merged_figures import combine_ranks
from layerscope.measure.reading import Figures, PendingReading, Reading
from layerscope.record.asked import Asked
from layerscope.record.layers import Layer
from layerscope.record.observation import SCALE, Channel, Observation
from layerscope.record.output_hook import OutputHook
from layerscope.record.place import Place
from layerscope.record.plan import device_of, plan
from layerscope.record.updates import Updates

IN_EVALUATION_MODE = (
    "the network was in evaluation mode during training: call its train() before the first step"
)
"""Why a layer that was called is not measured."""


class Recorder:
    """Measures a network's layers while it trains: a context manager that owns its hooks.

    A forward hook measures each layer's output where it lies, at once, and puts a hook on that
    tensor which measures its gradient on the way back; no tensor is kept, none is changed, and the
    network's random state is not touched. Outside `counting` the hooks return at once.
    Micro-batches add up until `observe` reads and empties the rows.

    Args:
        layers: which to watch, from `choose_layers`.
        asked: what to measure of them.
        network: nothing is measured while it is in evaluation mode; None: whatever the mode.

    Attributes:
        counting: whether the hooks measure; False at first.
        clock: seconds, to time the hooks by; None does not time them.
        spent: seconds that timed hooks have taken, since `take_spent`.
        not_measured: layers whose output could not be measured, and why.
        in_evaluation_mode: layers that were called, with gradients, while the network was in
            evaluation mode, in a step in which nothing was called in training mode: that step.
        failure: what a hook raised, if one did: a hook never raises into the network, it stops
            counting.
        channels: what each row of the tally holds; more than at first once a layer has given
            several tensors.
        scaled: quantities that carry a gradient scaler's factor, which `carry` is told.
        places: where outputs are measured.
        reached: how many of them a forward pass has reached.
        parameters: which parameters are measured.
    """

    def __init__(
        self, layers: Sequence[Layer], asked: Asked | None = None, network: nn.Module | None = None
    ) -> None:
        # Under torch.compile a hook that touches the wrapper would be traced into it.
        self.network = getattr(network, "_orig_mod", network)
        self._asked = asked or Asked()
        self._layers = tuple(layers)
        self.counting = False
        self.clock: Callable[[], float] | None = None
        self.spent = 0.0
        self.scaled: frozenset[str] = frozenset()
        self.not_measured: dict[str, str] = {}
        self.in_evaluation_mode: dict[str, int] = {}
        self._evaluated: set[str] = set()
        self._fired_before: set[str] = set()
        self._unfired: dict[str, str] = {}
        self.failure: Exception | None = None
        self.channels_axis = -1  # of the layer that was called last, for those that can't tell
        self.backward_began = False
        self.reached = 0
        self._round = 1
        self._handles: list[RemovableHandle] = []
        self._newcomers: list[Place] = []
        self._hooks = [OutputHook(self, layer, self._asked.per_call) for layer in self._layers]
        expected = [] if self._asked.per_call else [Place(x, x.name, self) for x in self._layers]
        for hook, place in zip(self._hooks, expected, strict=False):
            hook.know(place)
        self._make_plan(expected)

    def _make_plan(self, places: Sequence[Place]) -> None:
        made = plan(self._layers, places, self._asked)
        self._plan = made
        self.channels, self.places, self.parameters = made.channels, made.places, made.parameters
        threshold = self._asked.saturation_threshold
        active = [
            (-np.inf, np.inf) if place.layer.nonlinearity is None
            else place.layer.nonlinearity.active_within(threshold)
            for place in places
        ]  # fmt: skip
        self.units = units_for(
            device_of(self._layers), len(places), active, self._asked.dead_window
        )
        self._updates = Updates([watched.parameter for watched in self.parameters])

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        if self._handles:
            return
        for hook in self._hooks:
            if isinstance(hook.layer.module, torch.jit.ScriptModule):
                self.not_measured[hook.layer.name] = "it is scripted, and torch.jit takes no hooks"
            else:
                self._handles.append(hook.layer.module.register_forward_hook(hook))

    def detach(self) -> None:
        """Take the hooks off, and stop counting."""
        self.counting = False
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

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

    def give_up(self, error: Exception) -> None:
        """Stop counting because of what a hook ran into."""
        self.counting = False
        self.failure = error

    def take_spent(self) -> float:
        """Seconds that timed hooks have taken since the last call."""
        spent, self.spent = self.spent, 0.0
        return spent

    # What the hooks ask.

    def note_evaluation(self, layer: Layer) -> None:
        """A layer is called while the network is in evaluation mode: it may be trained so."""
        if torch.is_grad_enabled():
            self._evaluated.add(layer.name)

    def next_order(self) -> int:
        """The number of a place that a forward pass reaches for the first time."""
        self.reached += 1
        return self.reached - 1

    def forward_round(self) -> int:
        """Which round of calls it is: a backward pass, or a step, ends one."""
        if self.backward_began:
            self._round += 1
            self.backward_began = False
        return self._round

    def newcomer(self, layer: Layer, name: str) -> Place:
        """A place that was not planned for: it is measured apart until the step is observed."""
        place = Place(layer, name, self)
        intervals = [(-np.inf, np.inf)] * 2
        if (kind := layer.nonlinearity) is not None:
            intervals[0] = kind.saturated_beyond(self._asked.saturation_threshold)
        place.tally = tally_for(device_of(self._layers), 2, intervals)
        place.activation = 0 if "activation" in self._asked.quantities else -1
        place.gradient = 1 if "activation_grad" in self._asked.quantities else -1
        self._newcomers.append(place)
        return place

    # What a training step asks.

    def measure_gradients(self, of: Callable[[nn.Parameter], bool] | None = None) -> None:
        """Measure what the optimizer is about to receive: call it before clipping, unscaled.

        Of a sparse gradient the values of the rows that it touches are measured.

        Args:
            of: which parameters; all if None.
        """
        self._plan.tally.add_all(
            (watched.gradient, _values(watched.parameter.grad))
            for watched in self.parameters
            if watched.gradient >= 0
            and watched.parameter.grad is not None
            and (of is None or of(watched.parameter))
        )

    def measure_weights(self) -> None:
        """Measure the weights as they are now."""
        self._plan.tally.add_all(
            (watched.value, watched.parameter) for watched in self.parameters if watched.value >= 0
        )

    def begin_update(self, of: Callable[[nn.Parameter], bool]) -> None:
        """Copy the weights, to tell after the optimizer's step what it has changed.

        Args:
            of: which parameters the step may change.
        """
        self._updates.begin([of(watched.parameter) for watched in self.parameters])

    def end_update(self, of: Callable[[nn.Parameter], bool] | None = None) -> Reading | None:
        """What the step has changed; see `Updates.end`. None where nothing could change.

        Args:
            of: of the parameters that were copied, those to tell of; all if None.
        """
        if of is not None:
            self._updates.leave_out([not of(watched.parameter) for watched in self.parameters])
        for watched, change in zip(self.parameters, self._updates.differences(), strict=True):
            if watched.update >= 0 and change is not None:
                self._plan.tally.add(watched.update, change)
        return self._updates.end()

    def carry(self, slot: int, scalar: Tensor) -> None:
        """Add a scalar, such as a micro-batch's loss, to what travels with the figures."""
        self._plan.tally.carry(slot, scalar.detach())

    @property
    def has_newcomers(self) -> bool:
        """Whether an output turned up that has no row yet."""
        return bool(self._newcomers)

    def settle(self, also: Iterable[tuple[str, str, int]] = ()) -> None:
        """Give newcomers rows among the others, with what they have measured.

        Args:
            also: (layer, place, order) of what other ranks have found, so that all ranks come to
                the same rows.
        """
        known = {place.name for place in (*self.places, *self._newcomers)}
        layers = {layer.name: layer for layer in self._layers}
        for layer, name, order in also:
            if name not in known:
                place = self.newcomer(layers[layer], name)
                place.order = order
                self._hooks[self._layers.index(place.layer)].know(place)
                known.add(name)
        before, newcomers = self._plan, self._newcomers
        sources = [(channel, before.tally, row) for row, channel in enumerate(before.channels)]
        for place in newcomers:
            for quantity, row in (
                ("activation", place.activation),
                ("activation_grad", place.gradient),
            ):
                if row >= 0 and place.tally is not None:
                    sources.append((Channel(quantity, place.name), place.tally, row))
        self._newcomers = []
        self._make_plan(self._in_order([*self.places, *newcomers]))
        rows = {channel: row for row, channel in enumerate(self.channels)}
        for channel, tally, row in sources:
            if channel in rows:
                self._plan.tally.absorb(rows[channel], tally, row)  # type: ignore[arg-type]
        self._plan.tally.absorb_carried(before.tally)  # type: ignore[arg-type]

    def _in_order(self, places: Sequence[Place]) -> list[Place]:
        """In network order; where a layer gives several tensors, without the one expected of it."""
        at = {layer.name: position for position, layer in enumerate(self._layers)}
        reached = {place.layer.name for place in places if place.order >= 0}
        kept = []
        for place in places:
            if place.order >= 0 or place.layer.name not in reached:
                kept.append(place)
            else:
                self._hooks[at[place.layer.name]].forget(place)
        return sorted(kept, key=lambda place: (at[place.layer.name], place.order))

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

        combine_ranks(self._plan.tally, self._plan.outputs, rank, ranks, add_up)
        self._plan.tally.add_up_carried(add_up)
        self.units.combine(all_reduce)

    def observe(self, step: int, weights: bool = True, **known: Any) -> Observation:
        """What was measured since the last call, as the observation of a step; empties the rows.

        Args:
            step: the optimizer step.
            weights: whether the weights were measured in this step.
            known: further attributes of the observation.
        """
        if self._newcomers:
            self.settle()
        if self._evaluated:
            self._look_for_evaluation(step)
        self._round += 1
        channels = self.channels if weights else self.channels[: self._plan.without_weights]
        reading = self._plan.tally.read(len(channels))
        return Observation(
            step,
            channels,
            self._in_units_of_the_loss(reading, len(channels), known.get("ranks", 1)),
            self.units.read(step) if self.places else None,
            inputs_finite=self._take_inputs_finite(),
            **known,
        )

    def _look_for_evaluation(self, step: int) -> None:
        """Whether all that was called since the last such look was in evaluation mode."""
        fired = {hook.layer.name for hook in self._hooks if hook.fired}
        for hook in self._hooks:
            hook.fired = False
        self._fired_before |= fired
        if not fired:
            for name in self._evaluated:
                self.in_evaluation_mode.setdefault(name, step)
        self._evaluated.clear()

    def with_weights_now(self, observation: Observation) -> Observation:
        """The same observation with the weights as they are now: the trained ones, at the end."""
        before = observation.reading
        first = self._plan.without_weights
        self._plan.tally.read(len(self.channels))  # what a step that broke off has left
        self.measure_weights()
        now = self._plan.tally.read(len(self.channels))
        reading = Figures(
            np.concatenate([before.moments[:first], now.moments[first:]]),
            np.concatenate([before.linear[:first], now.linear[first:]]),
            np.concatenate([before.logarithmic[:first], now.logarithmic[first:]]),
            before.carried,
        )
        return replace(observation, channels=self.channels, reading=reading)

    def _in_units_of_the_loss(self, reading: Reading, rows: int, ranks: int) -> Reading:
        """Activation gradients without the loss scale, and of the mean loss over the ranks."""
        if not self.scaled and ranks == 1:
            return reading
        quantities = [channel.quantity for channel in self.channels[:rows]]
        of_ranks = np.array([quantity == "activation_grad" for quantity in quantities], np.bool_)
        scaled = np.array([quantity in self.scaled for quantity in quantities], np.bool_)

        def divided() -> Figures:
            figures = reading.resolve() if isinstance(reading, PendingReading) else reading
            assert isinstance(figures, Figures)
            scale = figures.carried[SCALE] / ranks or 1.0
            return figures.scaled(scaled, 1 / scale).scaled(of_ranks, 1 / ranks)

        return PendingReading(divided)

    def _take_inputs_finite(self) -> tuple[tuple[str, bool], ...]:
        found = []
        for place in self.places:
            if place.inputs_finite is not None:
                found.append((place.name, place.inputs_finite))
                place.inputs_finite = None
        return tuple(found)

    def found_places(self) -> list[tuple[str, str, int]]:
        """(layer, place, order) of all that is measured, for `settle` on another rank."""
        places = (*self.places, *self._newcomers)
        return [(p.layer.name, p.name, p.order) for p in places if p.order >= 0]

    def note_unfired(self, reason: str) -> list[str]:
        """The layers whose hooks have never been called while counting, in either mode; they are
        not measured, for this reason, until they are.
        """
        unfired = [
            hook.layer.name
            for hook in self._hooks
            if not hook.fired
            and hook.layer.name not in self._fired_before
            and hook.layer.name not in self.in_evaluation_mode
        ]
        self._unfired = dict.fromkeys(unfired, reason)
        return unfired

    def still_not_measured(self) -> dict[str, str]:
        """`not_measured`, and the layers that `note_unfired` has told of or that were in evaluation
        mode, and that have not been reached since.
        """
        reached = {place.layer.name for place in self.places if place.order >= 0}
        evaluated = dict.fromkeys(self.in_evaluation_mode, IN_EVALUATION_MODE)
        unfired = self._unfired | evaluated
        return {n: why for n, why in unfired.items() if n not in reached} | self.not_measured


def _values(gradient: Tensor) -> Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient
