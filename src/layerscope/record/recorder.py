"""Hooks on a network's layers, and what they measured in a step."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Tensor, nn

from layerscope.measure.row_state import merge_ranks
from layerscope.quantity import Quantity
from layerscope.record.channel import Channel
from layerscope.record.distributed.layouts import Layouts
from layerscope.record.gradient_sums import GradientSums
from layerscope.record.hook_state import HookState
from layerscope.record.hooked_layers import HookedLayers
from layerscope.record.measured_parameters import MeasuredParameters
from layerscope.record.network.layers import Layer
from layerscope.record.observation import Observation, in_units_of_the_loss
from layerscope.record.parameters.layer_parameter import why_not_measured
from layerscope.record.parameters.update_sums import UpdateSums
from layerscope.record.recorder_options import RecorderOptions
from layerscope.record.unreached import Unreached


class Recorder:
    """Measures a network's layers while it trains.

    A forward hook takes each layer's output where it lies, and puts a hook on that tensor which
    takes its gradient on the way back. What is large is measured at once; what is small is held
    until `measure_gradients` or `observe` (see `HeldTensors`), and let go by the latter. While its
    state is not `counting` the hooks return at once. Micro-batches add up until `observe`.

    Args:
        layers: which to watch, from `choose_layers`.
        network: nothing is measured while it is in evaluation mode; None: whatever the mode.
        layouts: of a network that tensor parallelism divides.

    Attributes:
        state: what the hooks share: whether they measure, their clock, what went wrong in them.
        hooked: the layers with their hooks; functions that are no modules come in as they are met.
        plan: what is measured into which row; another one once a layer has given several tensors.
        is_merged: whether `combine` is called before each `observe`; False at first.
        lost: channels that were not measured in a step, since a tensor was changed in place after
            its layer's call, which had not been seen before; taken by whoever tells of it.
        update: what this step has changed, once it is known.
        gradient_sums: gradients of which each process has a summand.
        scaled: quantities that carry a gradient scaler's factor, which `carry` is told.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        options: RecorderOptions | None = None,
        network: nn.Module | None = None,
        layouts: Layouts | None = None,
    ) -> None:
        # Under torch.compile a hook that touches the wrapper would be traced into it.
        self.state = state = HookState(getattr(network, "_orig_mod", network), layouts=layouts)
        self.hooked = HookedLayers(layers, options or RecorderOptions(), state)
        self.unreached = Unreached(self.hooked.hooks, state)
        self.scaled: frozenset[Quantity] = frozenset()
        self.is_merged, self.gradient_sums = False, GradientSums()
        self.lost: dict[Channel, None] = {}
        self.update: UpdateSums | None = None
        self._follow()

    def _follow(self) -> None:
        """Go on with the plan that there is now."""
        self.plan = self.hooked.plan
        sums, not_measured = self.gradient_sums, self.state.not_measured
        parameters, self.state.bare = self.plan.parameters, self.plan.bare_parameters()
        self._parameters = MeasuredParameters(parameters, sums, not_measured)
        for each in parameters:
            if (why := why_not_measured(each.parameter)) is not None:
                not_measured[f"{each.channel.layer}.{each.channel.quantity}"] = why

    def replace(self, layers: Sequence[Layer]) -> None:
        """Go on with other modules and parameters in the places of those before: the network has
        changed. What was measured in this step stays.

        Args:
            layers: as many as before, under the same names; functions are none of them.
        """
        is_on, counting = self.hooked.is_on, self.state.counting
        self.detach()
        if self.has_newcomers:
            self.settle()
        self._put_into_bins()
        self.hooked.replace(layers)
        self._follow()
        if is_on:
            self.attach()
            self.state.counting = counting

    @property
    def is_sharded(self) -> bool:
        """Whether each process has a part of the parameters, and measures that."""
        return self._parameters.are_sharded

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        self.hooked.attach()

    def detach(self) -> None:
        """Take the hooks off, and stop counting."""
        self.state.counting = False
        self.hooked.detach()

    def release(self) -> None:
        """Let go of the step's tensors; of what was not measured yet nothing will be known."""
        self.plan.held.release()

    def measure_gradients(self, of: Callable[[nn.Parameter], bool] | None = None) -> None:
        """Measure what the optimizer is about to receive: call it before clipping, unscaled.

        Of a sparse gradient the values of the rows that it touches are measured.

        Args:
            of: which parameters; all if None.
        """
        self._measure(self._parameters.gradients(of))

    def _measure(self, tensors: Sequence[tuple[int, Tensor]] = ()) -> None:
        """Measure what is held, and these tensors."""
        made = self.plan
        if not tensors and made.held.is_measured:
            return
        whole = not (self.is_merged or self.hooked.newcomers.waiting)
        unusual = made.held.measure(whole, tensors)
        for row in unusual.lost:
            self.lost[made.channels[row]] = None
        for row, given in unusual.not_finite:
            made.outputs[row].find_cause(given)

    def _put_into_bins(self) -> None:
        """Measure what is held, so that the rows of another plan can take it."""
        self._measure()
        self.plan.held.put_into_bins()
        self.plan.held.release()

    def measure_weights(self) -> None:
        """Measure the weights as they are now."""
        self.plan.tally.add_all(self._parameters.weights(), whole=not self.is_sharded)

    def begin_update(self, of: Callable[[nn.Parameter], bool]) -> None:
        """Copy the weights, to tell after the optimizer's step what it has changed."""
        self._parameters.begin_update(of)

    def end_update(self, of: Callable[[nn.Parameter], bool] | None = None) -> None:
        """Measure what the step has changed, for `observe` to tell.

        Args:
            of: of the parameters that were copied, those to tell of; all if None.
        """
        self.update = self._parameters.end_update(of)
        self.plan.tally.add_all(self._parameters.changes(), whole=not self.is_sharded)

    def carry(self, slot: int, scalar: Tensor) -> None:
        """Add a scalar, such as a micro-batch's loss, to what travels with the figures."""
        self.plan.tally.carry(slot, scalar)

    @property
    def has_newcomers(self) -> bool:
        """Whether an output turned up that has no row yet."""
        return bool(self.hooked.newcomers.waiting)

    def settle(self, also: Iterable[tuple[str, str, int]] = ()) -> None:
        """Give newcomers rows among the others, with what they have measured.

        Args:
            also: what `hooked.found` gives on other ranks, which come to the same rows.
        """
        self._put_into_bins()
        self.hooked.settle(also)
        self._follow()

    def combine(
        self,
        rank: int,
        ranks: int,
        all_reduce: Callable[[Tensor, str], None],
        weights: bool = False,
        update: bool = False,
    ) -> None:
        """Merge what all ranks of a distributed training have measured; before `observe`.

        Weights and their gradients that are the same on all ranks stay as they are; where ranks
        have parts of them, what each has is added up.

        Args:
            rank: this process, from 0.
            all_reduce: (tensor, "sum", "min" or "max"): in place, over all ranks.
            weights: whether a rank has measured the weights in this step.
            update: whether a rank has measured what it changed.
        """

        def add_up(tensor: Tensor) -> None:
            all_reduce(tensor, "sum")

        self._measure()
        made, rows = self.plan, self.plan.output_rows
        if self.is_sharded:
            rows = len(made.channels) if weights else made.without_weights
            self.gradient_sums.measure(made, add_up, counts=rank == 0)
            if update:
                self.update = self.update or self._parameters.end_update()
                self.update.add_up(add_up)
        merge_ranks(made.tally, rows, rank, ranks, add_up)
        made.tally.merge_carried_of_ranks(add_up)
        made.merge_units(all_reduce)

    def observe(self, step: int, weights: bool = True, **known: Any) -> Observation:
        """What was measured since the last call, as the observation of a step; empties the rows.

        Args:
            weights: whether the weights were measured in this step.
            known: further attributes of the observation.
        """
        if not self.plan.held.is_measured:
            self._measure()
        if self.hooked.newcomers.waiting:
            self.settle()
        if self.state.evaluated:
            self.unreached.end_step(step)
        data_finite, bare = self.state.data_finite, self.state.bare_not_finite
        self.state.end_round()
        made = self.plan
        channels = made.channels if weights else made.channels_without_weights
        reading = made.tally.read(len(channels))
        ranks = known.get("ranks", 1)
        losses = ranks // (self.state.layouts.copies if self.state.layouts else 1)
        update, self.update = self.update, None
        made.held.release()
        return Observation(
            step,
            channels,
            in_units_of_the_loss(reading, channels, self.scaled, ranks, losses),
            made.units.read(step) if made.outputs else None,
            None if update is None else update.reading(),
            not_finite=() if bare is None else made.take_not_finite(bare, self.state.network),
            data_finite=data_finite,
            **known,
        )

    def not_measured(self) -> dict[str, str]:
        """Layers whose output could not be measured, and why; see `Unreached.not_measured`."""
        return self.unreached.not_measured(self.plan.outputs)
