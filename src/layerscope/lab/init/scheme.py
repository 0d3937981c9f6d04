"""The order in which a network's parameters are drawn, and what each is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from layerscope.arguments import finite_and_not_negative, one_of
from layerscope.lab.init.initializer import Initializer
from layerscope.theory import Layer

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

EMBEDDING_RULES = ("unit", "scheme")


@dataclass(frozen=True)
class InitScheme:
    """Sets every parameter of a network from one generator.

    The modules are visited in network order. An Embedding's table is drawn as (rows, dim); of a
    Linear, first the weight as (fan_in, fan_out), then the bias. That is the notebook's order, so
    under its seed its numbers come out: `torch.Generator().manual_seed(s)` gives the stream that
    `torch.manual_seed(s)` gives the notebook.

    Args:
        weight: draws a weight matrix.
        gain: what the weights are multiplied by; Linear layers, and the embedding under `scheme`.
        bias_std: biases are N(0, bias_std^2). They are drawn even if it is 0, so that the weights
            do not depend on it.
        embedding: `unit` draws the table from N(0, 1): a lookup passes one row on unchanged, so
            there is no sum over a fan-in to make up for. `scheme` treats it as the notebook does,
            as a weight whose fan_in is the number of rows.
        logits: what the weights of the last Linear are multiplied by besides. Below 1 the loss
            starts nearer to that of a guess: Karpathy's makemore lecture 3 takes 0.1.

    Raises:
        ValueError: weight is no Initializer; gain, bias_std or logits is negative or not finite;
            the embedding rule is unknown; when called, no rule covers a module with parameters.
    """

    weight: Initializer
    gain: float = 1.0
    bias_std: float = 0.0
    embedding: str = "unit"
    logits: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.weight, Initializer):
            raise ValueError(f"weight must be an Initializer, got a {type(self.weight).__name__}")
        finite_and_not_negative(gain=self.gain, bias_std=self.bias_std, logits=self.logits)
        one_of(EMBEDDING_RULES, embedding=self.embedding)

    def __call__(
        self, model: nn.Module, generator: torch.Generator, batch: Tensor | None = None
    ) -> None:
        """Set the parameters of `model` in place, from `generator` alone.

        `batch`, what the model will be called with first, is for schemes that look at data.
        """
        import torch
        from torch import nn

        last: nn.Linear | None = None
        with torch.no_grad():
            for name, module in model.named_modules():
                match module:
                    case nn.Embedding():
                        rows, dim = module.weight.shape
                        module.weight.copy_(self._table(rows, dim, generator))
                    case nn.Linear():
                        weight = self.weight(module.in_features, module.out_features, generator)
                        module.weight.copy_(weight.T * self.gain)
                        bias = torch.randn(module.out_features, generator=generator)
                        module.bias.copy_(bias * self.bias_std)
                        last = module
                    case nn.BatchNorm1d() | nn.LayerNorm() | nn.RMSNorm():
                        module.reset_parameters()  # no change of scale or place: nothing is drawn
                    case _ if list(module.parameters(recurse=False)):
                        raise ValueError(
                            f"InitScheme sets Embedding, Linear and norm layers, got a "
                            f"{type(module).__name__} with parameters at {name!r}"
                        )
            if last is not None:
                last.weight.mul_(self.logits)

    def layers(
        self, sizes: Sequence[int], activation: str, second_moment: float
    ) -> tuple[Layer, ...]:
        """Return what theory knows of an MLP under this scheme, before anything is drawn.

        Args:
            sizes: of the input and of each hidden layer, in order.
            activation: after each hidden layer.
            second_moment: of the inputs, for schemes that look at data.
        """
        return tuple(
            Layer(
                fan_in,
                fan_out,
                self.gain**2 * self.weight.variance(fan_in, fan_out),
                self.bias_std**2,
                activation,
                self.weight.orthonormal,
            )
            for fan_in, fan_out in pairwise(sizes)
        )

    def embedding_second_moment(self, rows: int, dim: int) -> float:
        """Return the mean square of an entry of the embedding's table."""
        if self.embedding == "unit":
            return 1.0
        return self.gain**2 * self.weight.variance(rows, dim)

    def _table(self, rows: int, dim: int, generator: torch.Generator) -> Tensor:
        import torch

        if self.embedding == "unit":
            return torch.randn(rows, dim, generator=generator)
        return self.weight(rows, dim, generator) * self.gain
