"""The nets whose training is timed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import torch
from architectures import gpt, resnet
from torch import Tensor, nn

from layerscope.lab.init import InitScheme, variance_scaling
from layerscope.lab.mlp import MLP

CONTEXT, CHARACTERS = 3, 27


@dataclass(frozen=True, slots=True)
class Net(ABC):
    """A net, its batch size, and which steps of a training are timed.

    A run measures more at the keyframes, and looks at its surroundings at every tenth step up to
    200, then at every hundredth. What is timed holds its share of both: the first seven keyframes,
    which lie within nine steps, are left out, and the small nets go on to step 1,000.

    Attributes:
        batch: samples.
        steps: of a training.
        block: steps that are timed in one go, before another training has its turn.
        warm_up: steps at the start that are not timed.
    """

    batch: int
    steps: int
    block: int
    warm_up: int = field(default=10, kw_only=True)

    @property
    def block_ends(self) -> list[int]:
        """The steps before which a block ends, with that before which the first begins."""
        first = self.warm_up - self.warm_up % self.block + self.block
        return [self.warm_up, *range(first, self.steps, self.block), self.steps]

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


@dataclass(frozen=True, slots=True)
class Gpt(Net):
    """A GPT of blocks of LayerNorm, attention and a GELU network of four times the width.

    Attributes:
        is_compiled: by torch.compile, into graphs that may not break.
    """

    blocks: int = 4
    width: int = 128
    context: int = 64
    tokens: int = 65
    is_compiled: bool = False

    def build(self) -> nn.Module:
        """See `Net`."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = gpt(self.tokens, self.context, self.width, self.blocks, heads=4)
        if self.is_compiled:
            net.compile(fullgraph=True)
        return net

    def batch_on(self, device: str) -> tuple[Tensor, Tensor]:
        """See `Net`: both [batch, context]."""
        shape = (self.batch, self.context)
        return _random(self.tokens, shape, shape, device)


@dataclass(frozen=True, slots=True)
class ResNet(Net):
    """Eight convolutions with BatchNorm and ReLU on images of 32 x 32, in ten classes."""

    channels: int = 32

    def build(self) -> nn.Module:
        """See `Net`."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return resnet(self.channels, classes=10)

    def batch_on(self, device: str) -> tuple[Tensor, Tensor]:
        """Return images, float32 [batch, 3, 32, 32], and int64 targets [batch]."""
        generator = torch.Generator().manual_seed(1)
        images = torch.randn(self.batch, 3, 32, 32, generator=generator)
        return images.to(device), torch.randint(10, (self.batch,), generator=generator).to(device)


def _random(
    classes: int, contexts: tuple[int, ...], targets: tuple[int, ...], device: str
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randint(classes, contexts, generator=generator)
    return x.to(device), torch.randint(classes, targets, generator=generator).to(device)


NETS: dict[str, Net] = {
    "notebook": TanhNet(depth=3, width=100, batch=32, steps=1000, block=100),
    "deep": TanhNet(depth=10, width=512, batch=256, steps=50, block=5),
    "wide": TanhNet(depth=20, width=1024, batch=256, steps=30, block=2),
    "gpt": Gpt(batch=16, steps=110, block=5),
    "gpt_compiled": Gpt(batch=16, steps=110, block=5, is_compiled=True),
    "resnet": ResNet(batch=32, steps=70, block=5),
    "100x64": TanhNet(depth=100, width=64, batch=64, steps=200, block=10),
    "wide_cuda": TanhNet(
        depth=20, width=4096, batch=1024, steps=128, block=10, dtype=torch.bfloat16
    ),
    "gpt2_cuda": Transformer(batch=8, steps=50, block=5),
}

DEFAULT_NETS = {
    "cpu": ["notebook", "deep", "wide", "gpt", "gpt_compiled", "resnet", "100x64"],
    "cuda": ["wide_cuda", "gpt2_cuda"],
}

WATCHED_NETS = {"notebook", "gpt"}
"""Those that are timed in a bare loop with `watch` as well."""
