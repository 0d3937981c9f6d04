"""The nets whose training is timed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from layerscope.lab.init import InitScheme, variance_scaling
from layerscope.lab.mlp import MLP

CONTEXT, CHARACTERS = 3, 27


@dataclass(frozen=True, slots=True)
class Net(ABC):
    """A net, its batch size, the steps of a round, and how many of them are left out at first.

    A run measures its weights too at the keyframes, 50 steps in all; the first ten come within the
    first 24 steps. Where a round is short, the steps that count are between two of them.
    """

    batch: int
    steps: int
    warm_up: int

    @abstractmethod
    def build(self) -> nn.Module:
        """Make it on the CPU, the same at every call."""

    @abstractmethod
    def batch_on(self, device: str) -> tuple[Tensor, Tensor]:
        """Return contexts and targets, int64, the same at every call."""


@dataclass(frozen=True, slots=True)
class TanhNet(Net):
    """Hidden layers of tanh over an embedded context of three characters."""

    depth: int
    width: int
    dtype: torch.dtype = torch.float32

    def build(self) -> nn.Module:
        """See `Net`."""
        network = MLP(CHARACTERS, CONTEXT, CHARACTERS, depth=self.depth, width=self.width)
        scheme = InitScheme(variance_scaling(1.0, "fan_in", "normal"))
        scheme(network, torch.Generator().manual_seed(0))
        return network.to(self.dtype)

    def batch_on(self, device: str) -> tuple[Tensor, Tensor]:
        """See `Net`: [batch, CONTEXT] and [batch]."""
        return _random(CHARACTERS, (self.batch, CONTEXT), (self.batch,), device)


@dataclass(frozen=True, slots=True)
class Transformer(Net):
    """GPT-2's sizes (Radford et al. 2019): 12 layers of width 768, 12 heads, GELU, pre-norm."""

    length: int = 1024
    tokens: int = 50257
    dtype: torch.dtype = torch.bfloat16

    def build(self) -> nn.Module:
        """See `Net`."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            layer = nn.TransformerEncoderLayer(
                768, 12, 3072, dropout=0.0, activation=nn.GELU(), batch_first=True, norm_first=True
            )
            body = nn.TransformerEncoder(layer, 12, nn.LayerNorm(768), enable_nested_tensor=False)
            net = nn.Sequential(nn.Embedding(self.tokens, 768), body, nn.Linear(768, self.tokens))
        return net.to(self.dtype)

    def batch_on(self, device: str) -> tuple[Tensor, Tensor]:
        """See `Net`: both [batch, length]."""
        shape = (self.batch, self.length)
        return _random(self.tokens, shape, shape, device)


def _random(
    classes: int, contexts: tuple[int, ...], targets: tuple[int, ...], device: str
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(classes, contexts, generator=generator)
    return x.to(device), torch.randint(classes, targets, generator=generator).to(device)


NETS: dict[str, Net] = {
    "notebook": TanhNet(depth=3, width=100, batch=32, steps=300, warm_up=30),
    "deep": TanhNet(depth=10, width=512, batch=256, steps=45, warm_up=33),
    "wide": TanhNet(depth=20, width=1024, batch=256, steps=32, warm_up=24),
    "wide_cuda": TanhNet(
        depth=20, width=4096, batch=1024, steps=128, warm_up=92, dtype=torch.bfloat16
    ),
    "gpt2_cuda": Transformer(batch=8, steps=45, warm_up=33),
}

DEFAULT_NETS = {"cpu": ["notebook", "deep", "wide"], "cuda": ["wide_cuda", "gpt2_cuda"]}
