"""Networks as people write them, for which nothing of LayerScope is needed."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class Attention(nn.Module):
    """Causal self-attention (Vaswani et al. 2017, section 3.2): [batch, time, width] in, out."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return what each position gathers from those up to it."""
        batch, time, width = x.shape
        shape = batch, time, 3, self.heads, width // self.heads
        query, key, value = self.qkv(x).view(shape).permute(2, 0, 3, 1, 4)
        gathered = scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.projection(gathered.transpose(1, 2).reshape(x.shape))  # type: ignore[no-any-return]


class Block(nn.Module):
    """A transformer block, normalized first, as in GPT-2 (Radford et al. 2019)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.gelu = nn.GELU()
        self.contract = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with what attention and the network add to it."""
        x = x + self.attention(self.norm_1(x))
        return x + self.contract(self.gelu(self.expand(self.norm_2(x))))  # type: ignore[no-any-return]


class Embeddings(nn.Module):
    """Of tokens and of their positions, added: int64 [batch, time] to [batch, time, width]."""

    def __init__(self, tokens: int, context: int, width: int) -> None:
        super().__init__()
        self.token = nn.Embedding(tokens, width)
        self.position = nn.Embedding(context, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return self.token(x) + self.position(torch.arange(x.shape[1], device=x.device))  # type: ignore[no-any-return]


def gpt(tokens: int, context: int, width: int, blocks: int, heads: int) -> nn.Module:
    """Make a GPT: int64 [batch, time] to logits [batch, time, tokens]."""
    return nn.Sequential(
        Embeddings(tokens, context, width),
        *(Block(width, heads) for _ in range(blocks)),
        nn.LayerNorm(width),
        nn.Linear(width, tokens),
    )


class Residual(nn.Module):
    """Two convolutions of 3 x 3 with a shortcut around them (He et al. 2015); a stride halves both
    edges, and needs a convolution in the shortcut.
    """

    def __init__(self, channels: int, wanted: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution_1 = nn.Conv2d(channels, wanted, 3, stride, padding=1, bias=False)
        self.norm_1 = nn.BatchNorm2d(wanted)
        self.relu_1 = nn.ReLU()
        self.convolution_2 = nn.Conv2d(wanted, wanted, 3, padding=1, bias=False)
        self.norm_2 = nn.BatchNorm2d(wanted)
        self.relu_2 = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            convolution = nn.Conv2d(channels, wanted, 1, stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(wanted))

    def forward(self, x: Tensor) -> Tensor:
        """Return the rectified sum of both ways."""
        residual = self.relu_1(self.norm_1(self.convolution_1(x)))
        residual = self.norm_2(self.convolution_2(residual))
        return self.relu_2(residual + self.shortcut(x))  # type: ignore[no-any-return]


def resnet(channels: int, classes: int) -> nn.Module:
    """Make a ResNet of eight convolutions: [batch, 3, height, width] to logits [batch, classes]."""
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        Residual(channels, channels),
        Residual(channels, 2 * channels, stride=2),
        Residual(2 * channels, 2 * channels),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(2 * channels, classes),
    )
