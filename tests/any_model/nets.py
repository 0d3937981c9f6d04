"""Real nets, small: each a LightningModule that brings its own batches, all from fixed seeds."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass, fields

import lightning.pytorch as pl
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import cross_entropy, linear, mse_loss
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.checkpoint import checkpoint


def seeded(kind, **options):
    """A net whose weights are those of seed 0, with the random state left as a draw leaves it."""
    torch.manual_seed(0)
    return kind(**options)


class Net(pl.LightningModule):
    """A net with a loss; `batches` are the same at every call."""

    def training_step(self, batch, batch_idx):
        return self.loss(batch)

    def validation_step(self, batch, batch_idx):
        self.loss(batch)

    def predict_step(self, batch, batch_idx):
        return self.loss(batch)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.01)

    def batches(self, count=6, size=6):
        generator = torch.Generator().manual_seed(1)
        return [self.draw(size, generator) for _ in range(count)]


def vectors(size, generator, width=4, classes=3):
    return (
        torch.randn(size, width, generator=generator),
        torch.randint(classes, (size,), generator=generator),
    )


def tokens(size, generator, length=6, vocabulary=11):
    return torch.randint(vocabulary, (size, length), generator=generator)


class Mlp(Net):
    """The plain one, for single cases: the optimizer, a layer that is never called, the dtype."""

    def __init__(self, optimizer=torch.optim.AdamW, lr=0.01, unused=False, dtype=None, **options):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.ReLU(inplace=True), nn.Linear(8, 3)
        )
        if unused:
            self.unused = nn.Linear(8, 2)
        self.optimizer = optimizer
        self.options = {"lr": lr, **options}
        self.to(dtype)

    def loss(self, batch):
        x, y = batch
        return cross_entropy(self.net(x.to(self.net[0].weight.dtype)), y)

    def draw(self, size, generator):
        return vectors(size, generator)

    def configure_optimizers(self):
        return self.optimizer(self.parameters(), **self.options)


class ResidualBlock(nn.Module):
    """As torchvision's: one ReLU for both places, in place, and the shortcut added in place."""

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x
        return self.relu(y)


class ResNet(Net):
    def __init__(self, width=4, blocks=2):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.head = nn.Linear(width, 3)

    def loss(self, batch):
        x, y = batch
        return cross_entropy(self.head(self.blocks(self.stem(x)).mean((2, 3))), y)

    def draw(self, size, generator):
        x, y = vectors(size, generator, width=64)
        return x.view(size, 1, 8, 8), y

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


class TransformerBlock(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def forward(self, x, mask):
        y = self.norm1(x)
        x = x + self.attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Gpt(Net):
    """Decoder only; `tied`: the head's weight is the token embedding's."""

    def __init__(self, tied=False, width=8, dropout=0.1, length=6, vocabulary=11):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(length, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(TransformerBlock(width, 2, dropout) for _ in range(2))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        if tied:
            self.head.weight = self.token.weight

    def loss(self, batch):
        inputs, targets = batch[:, :-1], batch[:, 1:]
        length = inputs.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        x = self.dropout(self.token(inputs) + self.position(torch.arange(length)))
        for block in self.blocks:
            x = block(x, mask)
        return cross_entropy(self.head(self.norm(x)).flatten(0, 1), targets.flatten())

    def draw(self, size, generator):
        """Sequences of 4, 5 or 6 tokens: each batch has its own length."""
        return tokens(size, generator, int(torch.randint(4, 7, (), generator=generator)))


class Lstm(Net):
    """Classifies sequences of many lengths, packed."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.lstm = nn.LSTM(5, 6, num_layers=2, dropout=0.1, batch_first=True)
        self.head = nn.Linear(6, 3)

    def loss(self, batch):
        x, lengths, y = batch
        packed = pack_padded_sequence(
            self.embedding(x), lengths, batch_first=True, enforce_sorted=False
        )
        _, (hidden, _) = self.lstm(packed)
        return cross_entropy(self.head(hidden[-1]), y)

    def draw(self, size, generator):
        lengths = torch.randint(1, 7, (size,), generator=generator)
        x = tokens(size, generator)[:, : int(lengths.max())]
        return x, lengths, torch.randint(3, (size,), generator=generator)


class Gan(Net):
    """Two optimizers that take turns; the noise comes from torch's own random state."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(0.2), nn.Linear(8, 4))
        self.discriminator = nn.Sequential(
            nn.Linear(4, 8), nn.LeakyReLU(0.2, inplace=True), nn.Linear(8, 1)
        )

    def training_step(self, batch, batch_idx):
        to_discriminate, to_generate = self.optimizers()
        noise = torch.randn(len(batch), 3)
        real = self.discriminator(batch)
        fake = self.discriminator(self.generator(noise).detach())
        to_discriminate.zero_grad()
        self.manual_backward(bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake)))
        to_discriminate.step()
        fake = self.discriminator(self.generator(noise))
        to_generate.zero_grad()
        self.manual_backward(bce(fake, torch.ones_like(fake)))
        to_generate.step()

    def draw(self, size, generator):
        return torch.randn(size, 4, generator=generator)

    def configure_optimizers(self):
        return [
            torch.optim.Adam(self.discriminator.parameters(), lr=0.01),
            torch.optim.Adam(self.generator.parameters(), lr=0.01),
        ]


class Transposed(nn.Module):
    """A linear layer by another layer's weight, transposed."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight
        self.bias = nn.Parameter(torch.zeros(weight.shape[1]))

    def forward(self, x):
        return linear(x, self.weight.t(), self.bias)


class TiedAutoencoder(Net):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(8, 3)
        self.squash = nn.Sigmoid()
        self.decoder = Transposed(self.encoder.weight)

    def loss(self, batch):
        return mse_loss(self.decoder(self.squash(self.encoder(batch))), batch)

    def draw(self, size, generator):
        return torch.randn(size, 8, generator=generator)


class SparseBag(Net):
    """Bags of words; only the rows that a batch touches have gradients, and are updated."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.bag = nn.EmbeddingBag(50, 4, mode="mean", sparse=True)
        self.head = nn.Linear(4, 3)

    def training_step(self, batch, batch_idx):
        words, y = batch
        optimizers = self.optimizers()
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(cross_entropy(self.head(self.bag(words)), y))
        for optimizer in optimizers:
            optimizer.step()

    def draw(self, size, generator):
        """Of 50 words the first 20: with repetitions, which the gradient has to add up."""
        words = tokens(size, generator, vocabulary=20)
        return words, torch.randint(3, (size,), generator=generator)

    def configure_optimizers(self):
        return [
            torch.optim.SparseAdam(self.bag.parameters(), lr=0.01),
            torch.optim.Adam(self.head.parameters(), lr=0.01),
        ]


class Siamese(Net):
    """One trunk, called twice a step."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))

    def loss(self, batch):
        a, b = batch
        return (1 - (self.trunk(a) - self.trunk(b)).square().sum(1)).relu().mean()

    def draw(self, size, generator):
        return tuple(torch.randn(size, 4, generator=generator) for _ in range(2))


class Checkpointed(Net):
    """Blocks that are run again in the backward pass, dropout and all.

    how: None keeps the activations instead; "reentrant" and "not" are torch's two ways.
    """

    def __init__(self, how=None):
        super().__init__()
        self.how = how
        self.first = nn.Linear(4, 8)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Dropout(0.1)) for _ in range(3)
        )
        self.head = nn.Linear(8, 3)

    def loss(self, batch):
        x, y = batch
        x = self.first(x)
        for block in self.blocks:
            if self.how is None:
                x = block(x)
            else:
                x = checkpoint(block, x, use_reentrant=self.how == "reentrant")
        return cross_entropy(self.head(x), y)

    def draw(self, size, generator):
        return vectors(size, generator)


class Unfreezing(Net):
    """A frozen backbone under a new head; from optimizer step `at` on, both learn."""

    def __init__(self, at=3):
        super().__init__()
        self.at = at
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
        self.backbone.requires_grad_(False)
        self.head = nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        if batch_idx == self.at:
            self.backbone.requires_grad_(True)
        return self.loss(batch)

    def loss(self, batch):
        x, y = batch
        return cross_entropy(self.head(self.backbone(x)), y)

    def draw(self, size, generator):
        return vectors(size, generator)


class TwoLayers(Net):
    """Two layers; the first is whatever one makes of it."""

    def __init__(self, first=None):
        super().__init__()
        self.first = nn.Linear(4, 6) if first is None else first()
        self.head = nn.Linear(6, 3)

    def loss(self, batch):
        return cross_entropy(self.head(self.first(batch[0]).relu()), batch[1])

    def draw(self, size, generator):
        return vectors(size, generator)


def spectrally_normed():
    """Reading its weight in training is a step of its power iteration."""
    return spectral_norm(nn.Linear(4, 6))


Pair = namedtuple("Pair", ["logits", "features"])


@dataclass
class Output:
    logits: torch.Tensor
    features: torch.Tensor
    label: str = "a"


@dataclass
class ModelOutput(OrderedDict):
    """As Hugging Face's: a dataclass that is a dictionary of its fields other than None."""

    logits: torch.Tensor | None = None
    features: torch.Tensor | None = None
    hidden_states: tuple | None = None

    def __post_init__(self):
        for each in fields(self):
            if getattr(self, each.name) is not None:
                self[each.name] = getattr(self, each.name)


SHAPES = {
    "tuple": lambda a, b: (a, b),
    "list": lambda a, b: [a, b],
    "dict": lambda a, b: {"logits": a, "features": b},
    "namedtuple": Pair,
    "dataclass": Output,
    "model_output": lambda a, b: ModelOutput(logits=a, features=b),
    "nested": lambda a, b: (a, {"deep": [None, b]}, 3, "text"),
    "with_integers": lambda a, b: (a, a.argmax(-1), b),
}
"""Ways to return two tensors."""

PATHS = {
    "tuple": ("0", "1"),
    "list": ("0", "1"),
    "dict": ("logits", "features"),
    "namedtuple": ("logits", "features"),
    "dataclass": ("logits", "features"),
    "model_output": ("logits", "features"),
    "nested": ("0", "1.deep.1"),
    "with_integers": ("0", "2"),
}
"""Under which paths the two are found there."""


class Shaped(nn.Module):
    """Returns two tensors in one of the SHAPES."""

    def __init__(self, shape):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 4) / 2)
        self.shape = shape

    def forward(self, x):
        return SHAPES[self.shape](*linear(x, self.weight).split([3, 5], dim=1))


class ShapedOutput(Net):
    """A net whose middle layer returns its two tensors in one of the SHAPES, by views."""

    def __init__(self, shape):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.shaped = Shaped(shape)
        self.head = nn.Linear(5, 3)

    def loss(self, batch):
        x, y = batch
        logits, features = self.parts(self.shaped(self.first(x)))
        return cross_entropy(logits + self.head(features), y)

    def parts(self, output):
        for path in PATHS[self.shaped.shape]:
            part = output
            for key in path.split("."):
                if isinstance(part, dict):
                    part = part[key]
                else:
                    part = part[int(key)] if key.isdigit() else getattr(part, key)
            yield part

    def draw(self, size, generator):
        return vectors(size, generator)


class Side(nn.Linear):
    """A layer that returns integers, or nothing at all and leaves a tensor behind."""

    def __init__(self, returns):
        super().__init__(4, 4)
        self.returns = returns

    def forward(self, x):
        self.left_behind = super().forward(x)
        return self.left_behind.argmax(-1) if self.returns == "integers" else None


class NoFloats(Net):
    def __init__(self, returns):
        super().__init__()
        self.side = Side(returns)
        self.head = nn.Linear(4, 3)

    def loss(self, batch):
        x, y = batch
        self.side(x)
        return cross_entropy(self.head(self.side.left_behind), y)

    def draw(self, size, generator):
        return vectors(size, generator)


class ScaledBranch(nn.Module):
    """A residual branch whose weight is a bare parameter, of two experts in one tensor."""

    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.full((width,), 0.1))
        self.gate = nn.Linear(width, 2)
        self.experts = nn.ParameterList([nn.Parameter(torch.randn(2, width, width) / width)])

    def forward(self, x):
        of_experts = torch.einsum("bi,eij->bej", x, self.experts[0])
        shares = self.gate(x).exp()  # a softmax by hand: a function would be a layer of its own
        return x + self.scale * ((shares / shares.sum(1, True))[:, :, None] * of_experts).sum(1)


class ByHand(nn.Module):
    """A linear layer written by hand: its dropout is no layer, so it is one itself."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width) / width**0.5)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        return self.drop(x) @ self.weight


class BareParameters(Net):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(4))
        self.branch, self.mixing, self.head = ScaledBranch(4), ByHand(4), nn.Linear(4, 3)

    def loss(self, batch):
        x, y = batch
        return cross_entropy(self.head(self.mixing(self.branch(x + self.shift))), y)

    def draw(self, size, generator):
        return vectors(size, generator)


REAL = {
    "resnet": (ResNet, {}),
    "gpt": (Gpt, {}),
    "gpt_tied": (Gpt, {"tied": True}),
    "lstm": (Lstm, {}),
    "gan": (Gan, {}),
    "autoencoder": (TiedAutoencoder, {}),
    "sparse_bag": (SparseBag, {}),
    "siamese": (Siamese, {}),
    "lbfgs": (Mlp, {"optimizer": torch.optim.LBFGS, "lr": 0.1, "max_iter": 4}),
    "fused": (Mlp, {"fused": True}),
    "float64": (Mlp, {"dtype": torch.float64}),
    "unused": (Mlp, {"unused": True}),
    "checkpointed": (Checkpointed, {"how": "not"}),
    "checkpointed_reentrant": (Checkpointed, {"how": "reentrant"}),
    "unfreezing": (Unfreezing, {}),
    **{f"returns_{shape}": (ShapedOutput, {"shape": shape}) for shape in SHAPES},
    "spectral_norm": (TwoLayers, {"first": spectrally_normed}),
    "bare_parameters": (BareParameters, {}),
    "returns_integers": (NoFloats, {"returns": "integers"}),
    "returns_nothing": (NoFloats, {"returns": "nothing"}),
}
"""All of them, by name: the class and its arguments."""


def make(name):
    """One of REAL, with the weights of seed 0."""
    kind, options = REAL[name]
    return seeded(kind, **options)
