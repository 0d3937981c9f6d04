"""Programs whose maps are cut into a sequence behind a convolution."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, fit, program


def tones(count=512, bands=12, length=16):
    """Pictures [count, 1, bands, length] with one of four tones at each time, and which."""
    y = torch.randint(4, (count, length))
    x = 0.3 * torch.randn(count, bands, length)
    return x.scatter_add(1, 3 * y[:, None] + 1, torch.ones(count, 1, length))[:, None], y


def of_each_time(model, x, y):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


class Transcriber(nn.Module):
    """Says the tone of each time: a convolution, then a GRU."""

    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.conv = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)))
        self.gru = nn.GRU(8 * 6, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 4)

    def forward(self, x):
        maps = self.conv(x)
        steps = maps.permute(0, 3, 1, 2) if self.mended else maps
        return self.head(self.gru(steps.reshape(len(x), 16, -1))[0])


@program("axes_mixed")
def spectra_with_time_last_reshaped_for_a_gru(mended, watch):
    model = Transcriber(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(*tones(), steps=150), of_each_time)


class Tagger(nn.Module):
    """Says the kind of each place of a series: a convolution, then a transformer's block."""

    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.conv = nn.Sequential(nn.Conv1d(12, 32, 3, padding=1), nn.BatchNorm1d(32), nn.ReLU())
        self.project, self.head = nn.Linear(32, 32), nn.Linear(32, 4)
        self.block = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)

    def forward(self, x):
        maps = self.conv(x[:, 0])
        steps = maps.transpose(1, 2) if self.mended else maps.view(len(x), 16, 32)
        return self.head(self.block(self.project(steps)))


@program("axes_mixed")
def a_series_viewed_for_a_transformer(mended, watch):
    model = Tagger(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(*tones(), steps=150), of_each_time)
