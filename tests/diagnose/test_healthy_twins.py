"""Healthy networks of repeated blocks are left in peace through a thousand steps and a warm-up."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import layerscope
from tests.diagnose.healthy import CLASSES, GPT, ResNet, images, sequences, token_loss

pytestmark = [pytest.mark.slow, pytest.mark.programs]

STEPS, WARM_UP, WIDTH, WORDS = 1000, 100, 32, 11


class Encoder(nn.Module):
    """Post-norm, as Vaswani et al. 2017 have it."""

    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(8, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 3)
        self.head = nn.Linear(WIDTH, WORDS)

    def forward(self, tokens):
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        future = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.head(self.encoder(x, mask=future, is_causal=True))


class ViTBlock(nn.Module):
    """Pre-norm, with a LayerScale of 1e-4 and stochastic depth, as in CaiT and DeiT III."""

    def __init__(self, drop=0.1):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 64), nn.GELU(), nn.Linear(64, WIDTH))
        self.scale1 = nn.Parameter(torch.full((WIDTH,), 1e-4))
        self.scale2 = nn.Parameter(torch.full((WIDTH,), 1e-4))
        self.drop = drop

    def dropped(self, x):
        kept = torch.rand(len(x), 1, 1) >= self.drop
        return x * kept / (1 - self.drop)

    def forward(self, x):
        n = self.norm1(x)
        x = x + self.dropped(self.scale1 * self.attention(n, n, n, need_weights=False)[0])
        return x + self.dropped(self.scale2 * self.mlp(self.norm2(x)))


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, WIDTH, 2, 2)
        self.token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.places = nn.Parameter(0.02 * torch.randn(1, 17, WIDTH))
        self.blocks = nn.Sequential(*[ViTBlock() for _ in range(4)])
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places
        return self.head(self.norm(self.blocks(x))[:, 0])


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, WIDTH, 2, 2)
        self.blocks = nn.ModuleList([MixerBlock() for _ in range(4)])
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x).mean(1))


class MixerBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.tokens = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.channels = nn.Sequential(nn.Linear(WIDTH, 64), nn.GELU(), nn.Linear(64, WIDTH))

    def forward(self, x):
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Recurrent(nn.Module):
    """LSTMs with the residuals around them, as in GNMT (Wu et al. 2016)."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.lstms = nn.ModuleList([nn.LSTM(WIDTH, WIDTH, batch_first=True) for _ in range(4)])
        self.head = nn.Linear(WIDTH, WORDS)

    def forward(self, tokens):
        x = self.words(tokens)
        for lstm in self.lstms:
            x = x + lstm(x)[0]
        return self.head(x)


def image_loss(network, batch):
    return F.cross_entropy(network(batch[0]), batch[1], label_smoothing=0.1)


def adamw(network):
    return torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0.05)


def momentum(network):
    return torch.optim.SGD(network.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)


TWINS = {
    "pre-norm GPT": (lambda: GPT(WORDS, blocks=4), sequences, token_loss, adamw),
    "post-norm encoder": (Encoder, sequences, token_loss, adamw),
    "ViT": (ViT, images, image_loss, adamw),
    "ResNet": (lambda: ResNet(blocks=4), images, image_loss, momentum),
    "MLP-Mixer": (Mixer, images, image_loss, adamw),
    "residual LSTM": (Recurrent, sequences, token_loss, adamw),
}


def train(name, folder):
    """A watcher after a thousand steps, clipped, with a warm-up and a cosine after it."""
    torch.manual_seed(0)
    make, batches, loss_of, optimizer_of = TWINS[name]
    network = make()
    optimizer = optimizer_of(network)
    schedule = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=WARM_UP),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS - WARM_UP),
        ],
        [WARM_UP],
    )
    with layerscope.watch(network, folder, images=False, summary=False) as watcher:
        for batch in batches(0, STEPS):
            optimizer.zero_grad()
            loss = loss_of(network, batch)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            watcher.step(loss)
    return watcher


@pytest.mark.parametrize("name", TWINS)
def test_a_healthy_network_of_repeated_blocks_is_not_warned_of(tmp_path, name):
    watcher = train(name, tmp_path)
    assert watcher.failure is None
    figures = layerscope.read(tmp_path).figures
    assert any(facts.stream for facts in figures.layers)
    assert figures["loss"][-20:].mean() < 0.7 * figures["loss"][0]  # it has learned
    assert [(f.rule, f.layer) for f in watcher.findings if f.severity != "note"] == []
