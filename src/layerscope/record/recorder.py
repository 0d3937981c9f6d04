"""Hooks on a network's layers, and what they measured in a step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from layerscope.measure import Tally
from layerscope.record.layers import Layer
from layerscope.record.observation import Channel, Observation

QUANTITIES = ("activation", "activation_grad", "weight", "weight_grad")
"""What can be recorded of a layer."""

Hook = Callable[[nn.Module, Any, Any], None]


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

    Attributes:
        counting: whether the hooks measure; False at first.
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
    ) -> None:
        wanted = tuple(quantities)
        for quantity in wanted:
            if quantity not in QUANTITIES:
                raise ValueError(
                    f"quantities must be among {', '.join(QUANTITIES)}, got {quantity!r}"
                )
        if not 0 < saturation_threshold < 1:
            raise ValueError(
                f"saturation_threshold must be above 0 and below 1, got {saturation_threshold}"
            )
        self.layers = tuple(layers)
        self.counting = False
        self._handles: list[RemovableHandle] = []

        channels: list[Channel] = []
        intervals: list[tuple[float, float]] = []
        axes: list[tuple[float, float] | None] = []
        self._parameters: list[tuple[nn.Parameter, int | None, int | None]] = []
        self._outputs: list[tuple[nn.Module, int | None, int | None]] = []

        def row(quantity: str, layer: str, like: Layer | None = None) -> int | None:
            if quantity.replace("bias", "weight") not in wanted:
                return None
            kind = like.nonlinearity if like is not None else None
            channels.append(Channel(quantity, layer))
            intervals.append(
                kind.saturated_beyond(saturation_threshold) if kind else (-math.inf, math.inf)
            )
            axes.append(kind.bounds if kind else None)
            return len(channels) - 1

        for layer in self.layers:
            self._outputs.append(
                (
                    layer.module,
                    row("activation", layer.name, layer),
                    row("activation_grad", layer.name),
                )
            )
            for name, parameter in layer.parameters:
                if name == "bias" and not biases:
                    continue
                what = name if name in ("weight", "bias") else "weight"
                where = layer.name if name == what else f"{layer.name}.{name}"
                self._parameters.append((parameter, row(what, where), row(f"{what}_grad", where)))
        self.channels = tuple(channels)
        self._tally = Tally(len(channels), intervals, axes)
        self._all = np.arange(len(channels))
        self._without_weights = np.array(
            [i for i, c in enumerate(channels) if c.quantity not in ("weight", "bias")], np.int64
        )

    def attach(self) -> None:
        """Put the hooks on; does nothing if they are on."""
        if self._handles:
            return
        for module, activation, gradient in self._outputs:
            if activation is not None or gradient is not None:
                hook = self._forward_hook(activation, gradient)
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

    def _forward_hook(self, activation: int | None, gradient: int | None) -> Hook:
        add = self._tally.add

        def measure_gradient(grad: Tensor) -> None:
            if gradient is not None:
                add(gradient, grad)

        def measure_output(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if not self.counting or not isinstance(output, Tensor):
                return
            if activation is not None:
                add(activation, output)
            if gradient is not None and output.requires_grad:
                output.register_hook(measure_gradient)  # type: ignore[no-untyped-call]

        return measure_output

    def measure_gradients(self) -> None:
        """Measure what the optimizer is about to receive: call it before clipping, unscaled."""
        for parameter, _, row in self._parameters:
            if row is not None and parameter.grad is not None:
                self._tally.add(row, parameter.grad)

    def measure_weights(self) -> None:
        """Measure the weights as they are now."""
        for parameter, row, _ in self._parameters:
            if row is not None:
                self._tally.add(row, parameter)

    def observe(self, step: int, loss: float = math.nan, weights: bool = True) -> Observation:
        """What was measured since the last call, as the observation of a step; empties the rows.

        Args:
            step: the optimizer step.
            loss: the step's loss.
            weights: whether the weights were measured in this step.
        """
        rows = self._all if weights else self._without_weights
        return Observation(step, loss, self.channels, self._tally.read(rows))
