"""Hooks on a network's layers, and what they measured in a step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from layerscope.measure.reading import Figures
from layerscope.measure.tally import EXACT
from layerscope.record.layers import Layer
from layerscope.record.observation import Observation
from layerscope.record.output_hook import OutputHook
from layerscope.record.plan import QUANTITIES, plan


class Recorder:
    """Measures a network's layers while it trains: a context manager that owns its hooks.

    A forward hook measures each layer's output where it lies, at once, and puts a hook on that
    tensor which measures its gradient on the way back; no tensor is kept, none is changed, and the
    network's random state is not touched. Outside `counting` the hooks return at once.
    Micro-batches add up until `observe` reads and empties the rows.

    Args:
        layers: which to watch, from `choose_layers`.
        quantities: which of QUANTITIES to give rows; the others cost nothing.
        biases: also the parameters called bias, and their gradients.
        saturation_threshold: outputs of a bounded activation function beyond it are saturated, as
            for tanh; above 0, below 1.
        max_elements: of a larger tensor on the CPU a random sample makes the histogram; its moments
            and non-finite counts are exact all the same.

    Attributes:
        counting: whether the hooks measure; False at first.
        not_measured: layers whose output could not be measured, and why.
        failure: what a hook raised, if one did: a hook never raises into the network, it stops
            counting.
        channels: what each row of the tally holds.

    Raises:
        ValueError: an unknown quantity, or a threshold outside its bounds.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        quantities: Iterable[str] = QUANTITIES,
        biases: bool = False,
        saturation_threshold: float = 0.97,
        max_elements: int = EXACT,
    ) -> None:
        self._plan = plan(layers, quantities, biases, saturation_threshold, max_elements)
        self.channels = self._plan.channels
        self.counting = False
        self.not_measured: dict[str, str] = {}
        self.failure: Exception | None = None
        self._handles: list[RemovableHandle] = []

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        if self._handles:
            return
        for name, module, activation, gradient in self._plan.outputs:
            hook = OutputHook(self, name, activation, gradient)
            self._handles.append(module.register_forward_hook(hook))

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

    def add(self, row: int, tensor: Tensor) -> None:
        """Measure a tensor into a row, on behalf of a hook."""
        self._plan.tally.add(row, tensor)

    def measure_gradients(self) -> None:
        """Measure what the optimizer is about to receive: call it before clipping, unscaled."""
        self._plan.tally.add_all(
            (row, parameter.grad)
            for parameter, row in self._plan.gradients
            if parameter.grad is not None
        )

    def measure_weights(self) -> None:
        """Measure the weights as they are now."""
        self._plan.tally.add_all((row, parameter) for parameter, row in self._plan.weights)

    def note_loss(self, loss: Tensor) -> None:
        """Add a micro-batch's share of the loss; it travels with the figures."""
        self._plan.tally.carry(0, loss)

    def observe(self, step: int, weights: bool = True) -> Observation:
        """What was measured since the last call, as the observation of a step; empties the rows.

        Args:
            step: the optimizer step.
            weights: whether the weights were measured in this step.
        """
        channels = self.channels if weights else self.channels[: self._plan.without_weights]
        return Observation(step, channels, self._plan.tally.read(len(channels)))

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
        return Observation(observation.step, self.channels, reading)
