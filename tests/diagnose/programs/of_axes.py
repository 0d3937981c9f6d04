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
