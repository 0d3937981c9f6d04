"""Layer-sequential unit variance: weights scaled until a real batch comes out right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from layerscope.arguments import one_of
from layerscope.lab.init.orthogonal import orthogonal
from layerscope.lab.init.scheme import EMBEDDING_RULES, InitScheme
from layerscope.theory import Layer, activation_named, moments

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


@dataclass(frozen=True)
class LSUV:
    """Sets every Linear's weights so that its outputs on a batch have variance 1; biases are 0.

    Mishkin and Matas (2016), "All you need is a good init", algorithm 1: orthonormal weights,
    then, layer by layer toward the loss, each divided by the standard deviation of what it puts
    out. Without biases one division is exact, so their loop and its tolerance are not needed.

    It takes care of the way forward alone: on the way back a layer multiplies the gradient's mean
    square by E[phi'(z)^2] / E[phi(z)^2] at variance 1, for tanh 1.18.

    Args:
        embedding: as for InitScheme, with orthonormal rows or columns under `scheme`.

    Raises:
        ValueError: an unknown embedding rule; when called: there is no batch, a module with
            parameters is covered by no rule, or a layer's outputs on the batch are all alike or not
            finite.
    """

    embedding: str = "unit"

    def __post_init__(self) -> None:
        one_of(EMBEDDING_RULES, embedding=self.embedding)

    def __call__(
        self, model: nn.Module, generator: torch.Generator, batch: Tensor | None = None
    ) -> None:
        """Set the parameters of `model` in place, from `generator` and one pass of `batch`."""
        import torch
        from torch import nn

        if batch is None:
            raise ValueError("init=lsuv scales weights to a batch of data, got none")
        self._start(model, generator)
        # A hook mends each layer while the batch passes: the next one sees what it puts out now.
        handles = [
            module.register_forward_hook(_to_unit_variance(name))
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear)
        ]
        try:
            with torch.no_grad():
                model(batch)
        finally:
            for handle in handles:
                handle.remove()

    def layers(
        self, sizes: Sequence[int], activation: str, second_moment: float
    ) -> tuple[Layer, ...]:
        """Return what theory knows of an MLP under this scheme; see `InitScheme.layers`."""
        hidden = float(moments(activation_named(activation), 1.0).second)
        seconds = [second_moment, *[hidden] * (len(sizes) - 2)]
        return tuple(
            Layer(fan_in, fan_out, 1 / (fan_in * second), 0.0, activation, orthonormal=True)
            for (fan_in, fan_out), second in zip(pairwise(sizes), seconds, strict=True)
        )

    def embedding_second_moment(self, rows: int, dim: int) -> float:
        """Return the mean square of an entry of the embedding's table."""
        return self._start.embedding_second_moment(rows, dim)

    @property
    def _start(self) -> InitScheme:
        return InitScheme(orthogonal(), embedding=self.embedding)


def _to_unit_variance(name: str) -> Any:
    def hook(module: nn.Linear, _: tuple[Tensor, ...], output: Tensor) -> Tensor:
        std = output.std(correction=0)  # over examples and units
        if not (std.isfinite() and std > 0):
            raise ValueError(
                f"init=lsuv needs outputs that vary, got a standard deviation of {std.item():g} at "
                f"layer {name!r} on the batch"
            )
        module.weight.div_(std)
        return output / std

    return hook
