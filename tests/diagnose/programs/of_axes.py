"""Programs in which something runs along the wrong axis."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, of_output, phrases, program, waves


class Forecast(nn.Module):
    def __init__(self, mended):
        super().__init__()
        self.gru, self.out = nn.GRU(1, 24, batch_first=mended), nn.Linear(24, 1)

    def forward(self, series):
        return self.out(self.gru(series)[0][:, -1])


@program("sequence_over_batch")
def a_gru_without_batch_first(mended, watch):
    series, following = waves()
    model = Forecast(mended)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    fit(watch, model, optimizer, batches(series, following), of_output(F.mse_loss))


class Encoded(nn.Module):
    def __init__(self, mended):
        super().__init__()
        self.embedding = nn.Embedding(60, 32)
        self.block = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=mended)
        self.out = nn.Linear(32, 3)

    def forward(self, tokens):
        return self.out(self.block(self.embedding(tokens)).mean(1))


@program("sequence_over_batch")
def an_encoder_that_attends_to_other_samples(mended, watch):
    tokens, topic = phrases()
    model = Encoded(mended)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    fit(watch, model, optimizer, batches(tokens, topic), cross_entropy)


class Places(nn.Module):
    """Gives the classes of each place of a sequence [n, length, 1], classes last or first."""

    def __init__(self, classes_last):
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv1d(16, 5, 1))
        self.classes_last = classes_last

    def forward(self, series):
        classes = self.body(series.mT)
        return classes.mT if self.classes_last else classes


def _levels(series):
    return torch.bucketize(series[..., 0], torch.tensor([-0.8, -0.3, 0.3, 0.8]))


@program("axes_mixed")
def classes_cut_out_of_places(mended, watch):
    series, _ = waves()

    def loss(model, series):
        output = model(series)  # [n, length, classes]
        classes = output.transpose(1, 2) if mended else output.reshape(len(series), 5, -1)
        return F.cross_entropy(classes, _levels(series))

    model = Places(classes_last=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(series, steps=60), loss)


@program("axes_mixed")
def places_cut_out_of_classes(mended, watch):
    series, _ = waves()

    def loss(model, series):
        output = model(series)  # [n, classes, length]
        rows = (output.movedim(1, -1) if mended else output).reshape(-1, 5)
        return F.cross_entropy(rows, _levels(series).flatten())

    model = Places(classes_last=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    fit(watch, model, optimizer, batches(series, steps=60), loss)
