"""Programs in which something runs along the wrong axis."""

import itertools

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.program import batches, fit, of_output, program


class Forecast(nn.Module):
    def __init__(self, mended):
        super().__init__()
        self.gru, self.out = nn.GRU(1, 24, batch_first=mended), nn.Linear(24, 1)

    def forward(self, series):
        return self.out(self.gru(series)[0][:, -1])


@program("sequence_over_batch")
def a_gru_without_batch_first(mended, watch):
    series, following = toys.waves()
    model = Forecast(mended)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    fit(watch, model, optimizer, batches(series, following), of_output(F.mse_loss))


class TimeFirst(nn.Module):
    """Turns its inputs to [time, samples, features], as a recurrent layer takes them by default."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.out = layer, nn.Linear(24, 1)

    def forward(self, series):
        output, _ = self.layer(series.transpose(0, 1))
        return self.out(output[-1])


@program("sequence_over_batch")
def time_first_into_a_layer_that_takes_the_batch_first(mended, watch):
    model = TimeFirst(nn.LSTM(1, 24, batch_first=not mended))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    fit(watch, model, optimizer, batches(*toys.waves()), of_output(F.mse_loss))


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
    tokens, topic = toys.phrases()
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
    series, _ = toys.waves()

    def loss(model, series):
        output = model(series)  # [n, length, classes]
        classes = output.transpose(1, 2) if mended else output.reshape(len(series), 5, -1)
        return F.cross_entropy(classes, _levels(series))

    model = Places(classes_last=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(series, steps=60), loss)


@program("axes_mixed")
def places_cut_out_of_classes(mended, watch):
    series, _ = toys.waves()

    def loss(model, series):
        output = model(series)  # [n, classes, length]
        rows = (output.movedim(1, -1) if mended else output).reshape(-1, 5)
        return F.cross_entropy(rows, _levels(series).flatten())

    model = Places(classes_last=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    fit(watch, model, optimizer, batches(series, steps=60), loss)


class Halves(nn.Module):
    """Attention by hand over tokens, whose heads cut(q) makes of [batch, rows, heads * width]."""

    def __init__(self, cut, fused):
        super().__init__()
        self.words, self.places = nn.Embedding(60, 32), nn.Embedding(8, 32)
        self.q, self.k, self.v = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 32)
        self.out, self.cut, self.fused = nn.Linear(32, 3), cut, fused

    def forward(self, tokens):
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        q, k, v = (self.cut(each(x)) for each in (self.q, self.k, self.v))
        if self.fused:
            mixed = F.scaled_dot_product_attention(q, k, v)
        else:
            mixed = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
        return self.out((x + mixed.transpose(1, 2).reshape(x.shape)).mean(1))


@program("heads_mixed")
def heads_in_the_place_of_rows(mended, watch):
    def cut(q):
        return q.view(len(q), 8, 4, 8).transpose(1, 2) if mended else q.view(len(q), 4, 8, 8)

    model = Halves(cut, fused=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(*toys.phrases(), steps=60), of_output(F.cross_entropy))


@program("heads_mixed")
def heads_reshaped_for_a_fused_call(mended, watch):
    def cut(q):
        return q.unflatten(2, (2, 16)).transpose(1, 2) if mended else q.reshape(-1, 2, 8, 16)

    model = Halves(cut, fused=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(*toys.phrases(), steps=60), of_output(F.cross_entropy))


class Rows(nn.Module):
    """Gives a number for each sequence, from what `read(layer, series)` makes of it."""

    def __init__(self, layer, read, width):
        super().__init__()
        self.layer, self.read, self.out = layer, read, nn.Linear(width, 1)

    def forward(self, series):
        return self.out(self.read(self.layer, series))


@program("axes_mixed")
def states_of_both_directions_cut_into_rows(mended, watch):
    def read(layer, series):
        _, states = layer(series)
        return torch.cat([*states], 1) if mended else states.view(len(series), -1)

    model = Rows(nn.GRU(1, 16, batch_first=True, bidirectional=True), read, 32)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    fit(watch, model, optimizer, batches(*toys.waves()), of_output(F.mse_loss))


@program("axes_mixed")
def the_last_layers_states_reshaped_to_rows(mended, watch):
    def read(layer, series):
        _, (states, _) = layer(series)
        last = states[-2:]
        return (last.transpose(0, 1) if mended else last).reshape(len(series), -1)

    layer = nn.LSTM(1, 16, num_layers=2, batch_first=True, bidirectional=True)
    model = Rows(layer, read, 32)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    fit(watch, model, optimizer, batches(*toys.waves()), of_output(F.mse_loss))


@program("axes_mixed")
def all_outputs_of_time_first_cut_into_rows(mended, watch):
    def read(layer, series):
        outputs, _ = layer(series.transpose(0, 1))
        return (outputs.transpose(0, 1) if mended else outputs).reshape(len(series), -1)

    model = Rows(nn.GRU(1, 12), read, 12 * 12)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    fit(watch, model, optimizer, batches(*toys.waves()), of_output(F.mse_loss))


@program("axes_mixed")
def state_and_memory_stacked_and_viewed(mended, watch):
    def read(layer, series):
        _, (state, memory) = layer(series)
        both = torch.stack([state[0], memory[0]], 1 if mended else 0)
        return both.view(len(series), -1)

    model = Rows(nn.LSTM(1, 20, batch_first=True), read, 40)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    fit(watch, model, optimizer, batches(*toys.waves()), of_output(F.mse_loss))


@program("axes_mixed")
def data_that_are_viewed_as_time_first(mended, watch):
    def read(layer, series):
        count, length, width = series.shape
        turned = series.transpose(0, 1) if mended else series.view(length, count, width)
        return layer(turned)[0][-1]

    x, y = toys.waves()
    model = Rows(nn.LSTM(2, 24), read, 24)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    data = batches(torch.cat([x, -x], 2), y)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


class Sines(nn.Module):
    """Sines of places, added to [samples, time, width], or as a tutorial has them, time first."""

    def __init__(self, width, time_first):
        super().__init__()
        angle = torch.arange(64.0)[:, None] / 50 ** (torch.arange(width // 2) / (width // 2))
        waves = torch.cat([angle.sin(), angle.cos()], 1)
        self.register_buffer("waves", waves[:, None] if time_first else waves)
        self.drop, self.time_first = nn.Dropout(0.05), time_first

    def forward(self, x):
        return self.drop(x + self.waves[: len(x) if self.time_first else x.shape[1]])


class Replies(nn.Module):
    """For each place of a sequence a number, [samples, time, 1], of numbers or tokens."""

    def __init__(self, first, places, batch_first):
        super().__init__()
        self.first, self.places, self.out = first, places, nn.Linear(32, 1)
        layer = nn.TransformerEncoderLayer(32, 2, 64, dropout=0.0, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 1)

    def forward(self, x):
        h = self.first(x)
        h = h + self.places if isinstance(self.places, nn.Parameter) else self.places(h)
        return self.out(self.encoder(h))


@program("sequence_over_batch")
def smoothed_readings_through_an_encoder_of_time_first(mended, watch):
    x = torch.randn(512, 12, 1)
    model = Replies(nn.Linear(1, 32), nn.Parameter(0.1 * torch.randn(12, 32)), mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, x.cumsum(1) / 3), of_output(F.mse_loss))


@program("sequence_over_batch")
def sines_of_time_first_for_samples_first(mended, watch):
    x = torch.randint(20, (1024, 9))
    y = (x + x.roll(1, 1)).float()[..., None] / 10 - 2
    model = Replies(nn.Embedding(20, 32), Sines(32, time_first=not mended), batch_first=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))


@program("axes_mixed")
def pictures_whose_channels_come_last_are_viewed(mended, watch):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 16, 3, padding=1)
            self.second = nn.Conv2d(16, 16, 3, padding=1)
            self.head = nn.Linear(16, 4)

        def forward(self, x):
            n, height, width, channels = x.shape
            x = x.permute(0, 3, 1, 2) if mended else x.reshape(n, channels, height, width)
            x = torch.relu(self.second(torch.relu(self.first(x))))
            return self.head(x.mean((2, 3)))

    x, y = toys.pictures()
    x = torch.cat([x, 0.3 * torch.rand(len(x), 2, 8, 8)], 1).permute(0, 2, 3, 1).contiguous()
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=80), of_output(F.cross_entropy))


@program("axes_mixed")
def series_of_sensors_viewed_for_a_convolution(mended, watch):
    """By the loop, before the network gets them."""
    count, length, sensors = 512, 20, 6
    y = torch.randint(3, (count,))
    speed = 0.4 * (1 + y[:, None, None]) * torch.arange(length)[:, None]
    x = torch.sin(speed + 6.3 * torch.rand(count, 1, sensors)) + 0.3 * torch.randn(
        count, length, sensors
    )

    def loss_of(model, x, y):
        turned = x.transpose(1, 2) if mended else x.view(-1, sensors, length)
        return F.cross_entropy(model(turned), y)

    model = nn.Sequential(
        *(nn.Conv1d(sensors, 16, 5), nn.ReLU(), nn.Conv1d(16, 16, 5), nn.ReLU()),
        *(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 3)),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=80), loss_of)


def drawn(x, y, steps=120, size=24):
    """Batches of a loader that shuffles, epoch after epoch."""
    loader = DataLoader(TensorDataset(x, y), size, shuffle=True, drop_last=True)
    epochs = itertools.chain.from_iterable(itertools.repeat(loader))
    return itertools.islice(epochs, steps)


class ReadsRows(nn.Module):
    """The rows of pictures as steps of an LSTM, or each picture as a step."""

    def __init__(self, mended):
        super().__init__()
        self.lstm, self.out = nn.LSTM(8 if mended else 64, 32, batch_first=mended), nn.Linear(32, 4)
        self.mended = mended

    def forward(self, x):
        if self.mended:
            return self.out(self.lstm(x.squeeze(1))[0][:, -1])
        return self.out(self.lstm(x.view(len(x), 1, -1))[0].squeeze(1))


@program("sequence_over_batch")
def each_picture_is_a_step_of_one_sequence(mended, watch):
    model = ReadsRows(mended)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    fit(watch, model, optimizer, drawn(*toys.pictures()), of_output(F.cross_entropy))


class OfColumns(nn.Module):
    """Attention among the columns of a table, each a token, or among its rows."""

    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.widen = nn.Linear(1, 16) if mended else nn.Linear(6, 16)
        self.place = nn.Parameter(0.5 * torch.randn(6, 16)) if mended else None
        self.block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.out = nn.Linear(96 if mended else 16, 1)

    def forward(self, x):
        if self.mended:
            return self.out(self.block(self.widen(x[..., None]) + self.place).flatten(1))
        return self.out(self.block(self.widen(x)))


@program("sequence_over_batch")
def attention_among_the_rows_of_a_table(mended, watch):
    model = OfColumns(mended)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    fit(watch, model, optimizer, drawn(*toys.surface()), of_output(F.mse_loss))


@program("sequence_over_batch")
def a_number_for_each_step_from_a_gru_that_goes_along_the_samples(mended, watch):
    x = torch.randn(480, 15, 1)
    remembered = torch.cat([torch.zeros(480, 2, 1), x[:, :-2]], 1)
    layer = nn.GRU(1, 24, batch_first=mended)

    class OfEachStep(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.out = layer, nn.Linear(24, 1)

        def forward(self, x):
            return self.out(self.layer(x)[0])

    model = OfEachStep()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    fit(watch, model, optimizer, drawn(x, remembered, steps=200), of_output(F.mse_loss))
