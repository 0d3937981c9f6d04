"""Programs whose residual stream goes where nobody looks: the loss is fine."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, program


class Mixed(nn.Module):
    """A residual block that returns its input and what it adds."""

    def __init__(self, width=32):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(self.norm(x))))


class AddedTwice(nn.Module):
    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.first, self.out = nn.Linear(10, 32), nn.Linear(32, 4)
        self.blocks = nn.ModuleList([Mixed() for _ in range(8)])

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x) if self.mended else x + block(x)
        return self.out(x)


@program("stream_grows_by_depth")
def the_residual_is_added_in_the_block_and_around_it(mended, watch):
    x, y = toys.blobs()
    model = AddedTwice(mended)
    fit(watch, model, torch.optim.AdamW(model.parameters(), 1e-3), batches(x, y), cross_entropy)


class Convolved(nn.Module):
    def __init__(self, channels, normalized):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels) if normalized else nn.Identity()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        for conv in (self.conv1, self.conv2):
            nn.init.kaiming_normal_(conv.weight)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(F.relu(self.norm(x)))))


@program("stream_grows_by_depth")
def residual_blocks_without_a_normalisation(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        *[Convolved(12, mended) for _ in range(32)],
        nn.BatchNorm2d(12),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=20), cross_entropy)


@program("stream_grows")
def weight_decay_by_hand_with_the_wrong_sign(mended, watch):
    tokens, topic = toys.phrases()
    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    with watch(model) as scope:
        for x, y in batches(tokens, topic, steps=500):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for parameter in model.blocks.parameters():
                    parameter += (-0.01 if mended else 0.01) * parameter
            scope.step(loss)


class Reader(nn.Module):
    """Pre-norm blocks over the words of a phrase."""

    def __init__(self, block=Mixed, words=60, width=32):
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.blocks = nn.ModuleList([block(width) for _ in range(4)])
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 3)

    def forward(self, tokens):
        x = self.words(tokens)
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x).mean(1))


class Scaled(nn.Module):
    """Two branches, of which one has a scale that starts small."""

    def __init__(self, width, trained):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = Mixed(width)
        scale = torch.full((width,), 1e-4)
        if trained:
            self.scale = nn.Parameter(scale)
        else:
            self.register_buffer("scale", scale)

    def forward(self, x):
        n = self.norm(x)
        return self.mlp(x + self.scale * self.attention(n, n, n)[0])


@program("silent_branch")
def a_layer_scale_that_is_a_buffer(mended, watch):
    tokens, topic = toys.phrases()
    model = Reader(lambda width: Scaled(width, mended))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=160), cross_entropy)


class Masked(nn.Module):
    """A branch over the words that are there; 1 stands for no word."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.mixed = nn.LayerNorm(width), nn.Linear(width, width)
        self.mlp = Mixed(width)

    def forward(self, x, there):
        return self.mlp(x + self.mixed(self.norm(x)) * there.unsqueeze(-1))


class Padded(Reader):
    def __init__(self, mended):
        super().__init__(Masked)
        self.mended = mended

    def forward(self, tokens):
        padding = tokens < 0
        x = self.words(tokens.clamp(min=0))
        for block in self.blocks:
            x = block(x, ~padding if self.mended else padding)
        return self.out(self.norm(x).mean(1))


@program("silent_branch", first=False)
def a_mask_that_is_inverted(mended, watch):
    tokens, topic = toys.phrases()
    model = Padded(mended)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=160), cross_entropy)
