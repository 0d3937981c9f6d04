"""Healthy networks: every one trains as it should, and none may be warned of."""

import functools
import math

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.lab.data.character_data import contexts_and_targets
from layerscope.lab.data.datasets import US_2017, read_items
from layerscope.lab.data.vocabulary import Vocabulary
from layerscope.lab.init import InitScheme, critical_gain, orthogonal, variance_scaling
from layerscope.lab.mlp import MLP
from tests.diagnose.plain_loop import train

FEATURES, CLASSES = 16, 5


def toy(seed, steps=40, batch=64, short=None):
    """Batches of inputs [B, 16] and classes that a linear teacher gives them."""
    generator = torch.Generator().manual_seed(1000 + seed)
    teacher = torch.randn(FEATURES, CLASSES, generator=generator)
    for step in range(steps):
        size = short if short and step % 7 == 6 else batch
        x = torch.randn(size, FEATURES, generator=generator)
        yield x, (x @ teacher).argmax(1)


def cross_entropy(network, batch, scale=1.0):
    return scale * F.cross_entropy(network(batch[0]), batch[1])


def mlp(activation, depth=6, width=32, gain=2.0, features=FEATURES, classes=CLASSES):
    """Linear layers of weight variance gain / fan_in, biases 0, and an activation after each."""
    layers = []
    for fan_in in (features, *[width] * (depth - 1)):
        linear = nn.Linear(fan_in, width)
        nn.init.normal_(linear.weight, std=math.sqrt(gain / fan_in))
        nn.init.zeros_(linear.bias)
        layers += [linear, activation()]
    last = nn.Linear(width, classes)
    nn.init.normal_(last.weight, std=math.sqrt(1 / width))
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def adam(network, lr=1e-3):
    return torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr)


def sgd(network, lr=0.1):
    return torch.optim.SGD(network.parameters(), lr)


@functools.cache
def names(size=4000):
    items = read_items(US_2017)[::30]
    vocabulary = Vocabulary(items)
    contexts, targets = contexts_and_targets(items, vocabulary, 3)
    return contexts, targets, len(vocabulary)


def names_batches(seed, steps, batch=256):
    contexts, targets, _ = names()
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        rows = torch.randint(len(targets), (batch,), generator=generator)
        yield contexts[rows], targets[rows]


SCHEMES = {
    "kaiming": lambda: InitScheme(variance_scaling(2.0, "fan_in", "normal")),
    "glorot": lambda: InitScheme(variance_scaling(1.0, "fan_avg", "uniform")),
    "lecun": lambda: InitScheme(variance_scaling(1.0, "fan_in", "uniform")),
    "orthogonal": lambda: InitScheme(orthogonal(), gain=critical_gain("tanh", 0.0)),
}


def default_run(seed, scheme, steps=40):
    """This project's default net, on its data, with its optimizer."""
    classes = names()[2]
    network = MLP(classes, 3, classes)
    SCHEMES[scheme]()(network, torch.Generator().manual_seed(seed))
    optimizer = torch.optim.AdamW(network.parameters(), 4e-3, weight_decay=0.15)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    return train(network, names_batches(seed, steps), cross_entropy, optimizer, scheduler=scheduler)


class Block(nn.Module):
    """A transformer's: LayerNorm before attention and before the MLP, residuals around both."""

    def __init__(self, width, zero=False, heads=2):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.softmax = nn.Softmax(-1)
        self.fc, self.gelu, self.fc_proj = (
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
        )
        for linear in (self.qkv, self.proj, self.fc, self.fc_proj):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)
        if zero:
            nn.init.zeros_(self.proj.weight)
            nn.init.zeros_(self.fc_proj.weight)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (
            y.reshape(b, t, self.heads, -1).transpose(1, 2)
            for y in self.qkv(self.ln_1(x)).chunk(3, -1)
        )
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        future = torch.ones(t, t, dtype=torch.bool).triu(1)
        weights = self.softmax(scores.masked_fill(future, -math.inf))
        x = x + self.proj((weights @ v).transpose(1, 2).reshape(b, t, c))
        return x + self.fc_proj(self.gelu(self.fc(self.ln_2(x))))


class GPT(nn.Module):
    def __init__(self, classes, width=32, blocks=3, length=8, zero=False):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(classes, width), nn.Embedding(length, width)
        for embedding in (self.tokens, self.positions):
            nn.init.normal_(embedding.weight, std=0.02)
        self.blocks = nn.ModuleList([Block(width, zero) for _ in range(blocks)])
        self.ln_f = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes, bias=False)
        nn.init.normal_(self.head.weight, std=0.02)
        if zero:
            nn.init.zeros_(self.head.weight)

    def forward(self, x):
        h = self.tokens(x) + self.positions(torch.arange(x.shape[1]))
        for block in self.blocks:
            h = block(h)
        return self.head(self.ln_f(h))


def sequences(seed, steps, batch=16, length=8, classes=11):
    """Counting sequences with a step of 1 to 3: learnable from two tokens on."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        start = torch.randint(classes, (batch, 1), generator=generator)
        stride = torch.randint(1, 4, (batch, 1), generator=generator)
        x = (start + stride * torch.arange(length + 1)) % classes
        yield x[:, :-1], x[:, 1:]


def token_loss(network, batch, scale=1.0):
    logits = network(batch[0])
    return scale * F.cross_entropy(logits.flatten(0, 1), batch[1].flatten())


def gpt(seed, zero=False, steps=30, lr=1e-3, blocks=2, scale=1.0, warm_up=10, before=0):
    network = GPT(11, zero=zero, blocks=blocks)
    optimizer = torch.optim.AdamW(network.parameters(), lr)
    if before:  # the figures are those of a network that is trained already
        for batch in sequences(seed + 1, before):
            optimizer.zero_grad()
            token_loss(network, batch).backward()
            optimizer.step()
        warm_up = 1
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / warm_up)
    )
    return train(
        network,
        sequences(seed, steps),
        functools.partial(token_loss, scale=scale),
        optimizer,
        scheduler=scheduler,
        clip=None if scale != 1 else 1.0,
    )


class Residual(nn.Module):
    def __init__(self, channels, zero_gamma=False):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1, self.relu1 = nn.BatchNorm2d(channels), nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2, self.relu2 = nn.BatchNorm2d(channels), nn.ReLU()
        if zero_gamma:
            nn.init.zeros_(self.bn2.weight)

    def forward(self, x):
        y = self.relu1(self.bn1(self.conv1(x)))
        return self.relu2(x + self.bn2(self.conv2(y)))


class ResNet(nn.Module):
    def __init__(self, blocks=3, channels=8, zero_gamma=False):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, padding=1)
        self.blocks = nn.Sequential(*[Residual(channels, zero_gamma) for _ in range(blocks)])
        self.head = nn.Linear(channels, CLASSES)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


def images(seed, steps=40, batch=16):
    generator = torch.Generator().manual_seed(seed)
    patterns = torch.randn(CLASSES, 1, 8, 8, generator=generator)
    for _ in range(steps):
        y = torch.randint(CLASSES, (batch,), generator=generator)
        yield patterns[y] + 0.5 * torch.randn(batch, 1, 8, 8, generator=generator), y


def resnet(seed, zero_gamma=False, lr=0.05):
    network = ResNet(zero_gamma=zero_gamma)
    optimizer = torch.optim.SGD(network.parameters(), lr, momentum=0.9)
    return train(network, images(seed), cross_entropy, optimizer)


def toy_run(seed, network, optimizer=adam, steps=40, batch=64, short=None, scale=1.0, **options):
    loss_of = functools.partial(cross_entropy, scale=scale)
    batches = toy(seed, steps, batch, short)
    return train(network, batches, loss_of, optimizer(network), **options)


def zero_head(seed, activation=nn.Tanh, optimizer=adam):
    network = mlp(activation)
    nn.init.zeros_(network[-1].weight)
    return toy_run(seed, network, optimizer)


def frozen_backbone(seed):
    network = mlp(nn.ReLU)
    for module in list(network)[:8]:
        module.requires_grad_(False)
    return toy_run(seed, network)


def frozen_middle(seed):
    network = mlp(nn.ReLU)
    network[4].requires_grad_(False)
    return toy_run(seed, network)


def solved(seed, steps=60):
    """Sigmoid outputs near 0 and 1 on a task that is solved, and its gradient fading away."""
    network = nn.Sequential(*list(mlp(nn.ReLU, depth=4, classes=1)), nn.Sigmoid())

    def loss_of(network, batch):
        y = (batch[0][:, 0] > 0).float()
        return F.binary_cross_entropy(network(batch[0]).squeeze(1), y)

    optimizer = adam(network, 3e-3)
    for batch in toy(seed, 300):
        optimizer.zero_grad()
        loss_of(network, batch).backward()
        optimizer.step()
    return train(network, toy(seed, steps), loss_of, optimizer)


def warm_up(seed, steps=60):
    network = mlp(nn.Tanh, gain=1.0)
    optimizer = adam(network, 1e-3)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1e-5 * (step + 1) ** 1.5)
    return train(network, toy(seed, steps), cross_entropy, optimizer, scheduler=scheduler)


class Recurrent(nn.Module):
    def __init__(self, classes=11, width=24):
        super().__init__()
        self.embedding = nn.Embedding(classes, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.lstm(self.embedding(x))[0])


def lstm(seed):
    network = Recurrent()
    return train(network, sequences(seed, 40), token_loss, adam(network, 3e-3))


class Bag(nn.Module):
    def __init__(self, rows=2000, width=16):
        super().__init__()
        self.bag = nn.EmbeddingBag(rows, width)
        self.net = mlp(nn.ReLU, depth=3, features=width)

    def forward(self, x):
        return self.net(self.bag(x))


def embedding_bag(seed):
    generator = torch.Generator().manual_seed(seed)
    network = Bag()
    batches = []
    for _ in range(40):
        x = torch.randint(2000, (16, 4), generator=generator)
        batches.append((x, x[:, 0] % CLASSES))
    return train(network, batches, cross_entropy, sgd(network, 0.1))


class Gated(nn.Module):
    """Sigmoid gates beside tanh candidates, as in a highway network, open and shut for most."""

    def __init__(self, width=32, blocks=4):
        super().__init__()
        self.enter = nn.Linear(FEATURES, width)
        self.gates = nn.ModuleList(
            [nn.Sequential(nn.Linear(width, width), nn.Sigmoid()) for _ in range(blocks)]
        )
        self.candidates = nn.ModuleList(
            [nn.Sequential(nn.Linear(width, width), nn.Tanh()) for _ in range(blocks)]
        )
        self.head = nn.Linear(width, CLASSES)
        for gate in self.gates:
            nn.init.constant_(gate[0].bias, -2.0)

    def forward(self, x):
        h = self.enter(x)
        for gate, candidate in zip(self.gates, self.candidates, strict=True):
            g = gate(h)
            h = g * candidate(h) + (1 - g) * h
        return self.head(h)


def dropout_mlp():
    layers = []
    for module in mlp(nn.ReLU):
        layers += [module, nn.Dropout(0.3)] if isinstance(module, nn.ReLU) else [module]
    return nn.Sequential(*layers)


def batch_norm_mlp():
    layers = []
    for module in mlp(nn.ReLU):
        layers += [module, nn.BatchNorm1d(32)] if isinstance(module, nn.Linear) else [module]
    return nn.Sequential(*layers[:-1])


def autoencoder(seed):
    network = mlp(nn.Tanh, classes=FEATURES, gain=1.0)
    return train(
        network, toy(seed), lambda net, batch: F.mse_loss(net(batch[0]), batch[0]), adam(network)
    )


def regression_of_large_targets(seed):
    network = mlp(nn.ReLU, classes=1)

    def loss_of(net, batch):
        return F.mse_loss(net(batch[0]).squeeze(1), 1000 * batch[0][:, 0])

    return train(network, toy(seed), loss_of, adam(network))


HEALTHY = {
    "He ReLU": lambda s: toy_run(s, mlp(nn.ReLU)),
    "He ReLU, SGD": lambda s: toy_run(s, mlp(nn.ReLU), sgd),
    "He ReLU, 12 layers of 64": lambda s: toy_run(s, mlp(nn.ReLU, 12, 64)),
    "He ReLU, width 8": lambda s: toy_run(s, mlp(nn.ReLU, 4, 8)),
    "He ReLU, batch 4": lambda s: toy_run(s, mlp(nn.ReLU), batch=4, steps=80),
    "leaky ReLU": lambda s: toy_run(s, mlp(nn.LeakyReLU)),
    "GELU": lambda s: toy_run(s, mlp(nn.GELU)),
    "SiLU, 8 layers": lambda s: toy_run(s, mlp(nn.SiLU, 8)),
    "ELU": lambda s: toy_run(s, mlp(nn.ELU, gain=1.5)),
    "ReLU6": lambda s: toy_run(s, mlp(nn.ReLU6)),
    "tanh, Xavier, 10 layers": lambda s: toy_run(s, mlp(nn.Tanh, 10, gain=1.0)),
    "tanh, batch 4, width 8": lambda s: toy_run(s, mlp(nn.Tanh, 4, 8, 1.0), batch=4, steps=80),
    "hardtanh": lambda s: toy_run(s, mlp(nn.Hardtanh, gain=0.5)),
    "one hidden layer": lambda s: toy_run(s, mlp(nn.Tanh, 1)),
    "logistic regression": lambda s: toy_run(s, nn.Sequential(nn.Linear(FEATURES, CLASSES)), sgd),
    "PyTorch's own init, tanh": lambda s: toy_run(
        s,
        nn.Sequential(nn.Linear(16, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 5)),
    ),
    "names, tanh, kaiming": lambda s: default_run(s, "kaiming"),
    "names, tanh, glorot": lambda s: default_run(s, "glorot"),
    "names, tanh, lecun": lambda s: default_run(s, "lecun"),
    "names, tanh, orthogonal": lambda s: default_run(s, "orthogonal"),
    "transformer, untrained": lambda s: gpt(s),
    "transformer, trained": lambda s: gpt(s, before=150),
    "transformer, zero-initialised projections and head": lambda s: gpt(s, zero=True),
    "transformer, loss x 1e-6": lambda s: gpt(s, scale=1e-6),
    "ResNet with BatchNorm": lambda s: resnet(s),
    "ResNet, zero-initialised gamma": lambda s: resnet(s, zero_gamma=True),
    "BatchNorm MLP": lambda s: toy_run(s, batch_norm_mlp()),
    "zero-initialised head": zero_head,
    "zero-initialised head, SGD": lambda s: zero_head(s, nn.ReLU, sgd),
    "frozen backbone": frozen_backbone,
    "frozen layer in the middle": frozen_middle,
    "sigmoid outputs, solved": solved,
    "small learning rate in warm-up": warm_up,
    "loss x 1e-6": lambda s: toy_run(s, mlp(nn.Tanh, gain=1.0), scale=1e-6),
    "loss x 1e6": lambda s: toy_run(s, mlp(nn.Tanh, gain=1.0), scale=1e6),
    "short last batch": lambda s: toy_run(s, mlp(nn.ReLU), short=1, steps=60),
    "dropout": lambda s: toy_run(s, dropout_mlp()),
    "LSTM": lstm,
    "embedding bag": embedding_bag,
    "highway gates": lambda s: toy_run(s, Gated()),
    "autoencoder": autoencoder,
    "regression of large targets": regression_of_large_targets,
}
"""By name, a function of a seed that returns the figures of a run."""
