"""Programs whose network is put together, started or switched wrongly."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Convolutional, Forecaster, cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, of_output, program
from tests.usual_step import descend


@program("constant_weights")
def every_weight_zero(mended, watch):
    x, y = toys.blobs()
    model = perceptron(10, 4)
    if not mended:
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("constant_weights")
def every_weight_one_and_biases_at_random(mended, watch):
    x, y = toys.blobs()
    model = perceptron(10, 4)
    if not mended:
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                nn.init.ones_(layer.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    fit(watch, model, optimizer, batches(x, y, steps=60), cross_entropy)


@program("constant_weights")
def every_weight_one_tenth(mended, watch):
    x, y = toys.pictures()
    model = Convolutional()

    def init_weights(layer):
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.weight.data.fill_(0.1)
            layer.bias.data.zero_()

    if not mended:
        model.apply(init_weights)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("constant_weights")
def every_weight_alike_in_a_regression(mended, watch):
    x, y = toys.surface()
    model = perceptron(x.shape[1], 1)
    if not mended:
        for layer in model.modules():
            if isinstance(layer, nn.Linear):
                nn.init.constant_(layer.weight, 0.05)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))


@program("linear_chain")
def linear_layers_in_a_row(mended, watch):
    x, y = toys.ring()

    def between():
        return [nn.ReLU()] if mended else []

    model = nn.Sequential(
        nn.Linear(2, 32), *between(), nn.Linear(32, 32), *between(), nn.Linear(32, 2)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


class Regressor(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.hidden1, self.hidden2 = nn.Linear(1, 32), nn.Linear(32, 32)
        self.predict = nn.Linear(32, 1)
        self.activation = activation

    def forward(self, x):
        x = self.activation(self.hidden1(x))
        x = self.activation(self.hidden2(x))
        return self.predict(x)


@program("linear_chain")
def forward_without_activations(mended, watch):
    x = torch.linspace(-2, 2, 400)[:, None]
    y = x**2 - 4 / 3
    model = Regressor(torch.relu if mended else lambda x: x)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))


@program("dropout_high")
def dropout_taken_for_the_share_that_is_kept(mended, watch):
    x, y = toys.blobs()
    p = 0.1 if mended else 0.9
    model = nn.Sequential(
        *(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(p)),
        *(nn.Linear(32, 32), nn.ReLU(), nn.Dropout(p)),
        nn.Linear(32, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


class Encoder(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p
        self.words = nn.Embedding(60, 16)
        self.block = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.out = nn.Linear(16, 3)

    def forward(self, tokens):
        x = F.dropout(self.words(tokens), self.p, self.training)
        x = F.dropout(self.block(x).mean(1), self.p, self.training)
        return self.out(x)


@program("dropout_high")
def functional_dropout_of_nearly_everything(mended, watch):
    tokens, topic = toys.phrases()
    model = Encoder(0.05 if mended else 0.95)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(tokens, topic), cross_entropy)


class Dense(nn.Module):
    """Convolutions that each get all that came before, without most of it."""

    def __init__(self, p):
        super().__init__()
        self.p = p
        self.convolutions = nn.ModuleList([nn.Conv2d(1 + 8 * k, 8, 3, padding=1) for k in range(3)])
        self.out = nn.Linear(25 * 64, 4)

    def forward(self, x):
        for convolution in self.convolutions:
            grown = F.dropout2d(convolution(x).relu(), self.p, self.training)
            x = torch.cat([x, grown], 1)
        return self.out(x.flatten(1))


@program("dropout_high")
def keep_probability_of_another_framework(mended, watch):
    x, y = toys.pictures()
    model = Dense(0.1 if mended else 0.9)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("in_evaluation_mode")
def validated_once_and_never_switched_back(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout2d(0.1), nn.Flatten()),
        nn.Linear(8 * 36, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model) as scope:
        for step, (inputs, labels) in enumerate(batches(x, y)):
            descend(scope, optimizer, F.cross_entropy(model(inputs), labels))
            if step % 30 == 29:
                model.eval()
                with torch.no_grad():
                    model(x[:100])
                if mended:
                    model.train()


@program("in_evaluation_mode")
def loaded_for_inference_and_trained_on(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(
        *(nn.Linear(6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1)),
        *(nn.Linear(32, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 1)),
    )
    model.eval()
    if mended:
        model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))


@program("not_finite")
def a_table_with_gaps(mended, watch):
    x, y = toys.blobs()
    x[torch.rand(x.shape) < 0.002] = torch.nan
    if mended:
        x = x.nan_to_num(0.0)
    model = perceptron(10, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


class Spectrum(nn.Module):
    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.filters, self.out = nn.Linear(12, 24), nn.Linear(24, 1)

    def forward(self, series):
        power = self.filters(series.squeeze(-1))
        loud = torch.log1p(power**2) if self.mended else torch.log(power)
        return self.out(loud)


@program("not_finite")
def logarithm_of_a_signed_layer(mended, watch):
    series, following = toys.waves()
    model = Spectrum(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(series, following), of_output(F.mse_loss))


@program("not_finite")
def adam_without_epsilon(mended, watch):
    tokens, topic = toys.phrases()
    model = nn.Sequential(nn.Embedding(100, 16), nn.Flatten(), nn.Linear(8 * 16, 3))
    tokens = torch.cat([tokens, tokens[-1:] + 40])  # rare words, not in every batch
    topic = torch.cat([topic, topic[-1:]])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, eps=1e-8 if mended else 0.0)
    fit(watch, model, optimizer, batches(tokens, topic), cross_entropy)


@program("overconfident_start")
def every_weight_from_a_standard_normal(mended, watch):
    x, y = toys.blobs(classes=6)
    model = perceptron(10, 6, width=48)
    if not mended:
        for parameter in model.parameters():
            nn.init.normal_(parameter)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


class NextWord(nn.Module):
    """The output layer is the embedding itself."""

    def __init__(self, scale):
        super().__init__()
        self.words = nn.Embedding(30, 32)
        with torch.no_grad():
            self.words.weight.mul_(scale)
        self.rnn = nn.GRU(32, 32, batch_first=True)
        self.norm = nn.LayerNorm(32)

    def forward(self, tokens):
        states, _ = self.rnn(self.words(tokens))
        return self.norm(states) @ self.words.weight.T


@program("overconfident_start")
def tied_embedding_from_a_standard_normal(mended, watch):
    start = torch.randint(30, (512, 1))
    text = (start + 7 * torch.arange(9)) % 30  # [512, 9]
    model = NextWord(0.05 if mended else 1.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)

    def loss(m, text):
        logits = m(text[:, :-1])
        return F.cross_entropy(logits.reshape(-1, 30), text[:, 1:].reshape(-1))

    fit(watch, model, optimizer, batches(text), loss)


class Detached(nn.Module):
    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.encoder = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        features = self.encoder(x)
        return self.head(features if self.mended else features.detach())


@program("no_gradient")
def features_detached_before_the_head(mended, watch):
    x, y = toys.blobs()
    model = Detached(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@program("no_gradient")
def gradients_cleared_between_backward_and_step(mended, watch):
    series, following = toys.waves()
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.MSELoss()
    with watch(model) as scope:
        for inputs, target in batches(series, following):
            if mended:
                optimizer.zero_grad()
            loss = criterion(model(inputs), target)
            loss.backward()
            if not mended:
                optimizer.zero_grad()
            optimizer.step()
            scope.step(loss)


@program("softmax_hidden")
def a_softmax_as_the_function_between_layers(mended, watch):
    x, y = toys.blobs(apart=2.0)
    functions = [nn.Tanh() if mended else nn.Softmax(dim=-1) for _ in range(2)]
    linear = [nn.Linear(10, 64), nn.Linear(64, 64)]
    model = nn.Sequential(linear[0], functions[0], linear[1], functions[1], nn.Linear(64, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    fit(watch, model, optimizer, batches(x, y, steps=160), cross_entropy)


@program("not_frozen")
def a_body_that_is_frozen_in_name_alone(mended, watch):
    x, y = toys.blobs(apart=2.0)
    body = nn.Sequential(nn.Linear(10, 32), nn.ReLU())
    if mended:
        body.requires_grad_(False)
    else:
        body.requires_grad = False
    model = nn.Sequential(body, nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam([each for each in model.parameters() if each.requires_grad])
    fit(watch, model, optimizer, batches(x, y, steps=80), cross_entropy)


@program("not_frozen")
def a_convolution_that_is_frozen_in_name_alone(mended, watch):
    x, y = toys.pictures()
    first = nn.Conv2d(1, 16, 3, padding=1)
    model = nn.Sequential(
        first, nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    )
    model.append(nn.Linear(64, 4))
    for each in first.parameters() if mended else [first]:
        each.requires_grad = False
    fit(watch, model, torch.optim.Adam(model.parameters()), batches(x, y, steps=80), cross_entropy)


@program("frozen_untrained")
def a_body_that_was_frozen_and_never_loaded(mended, watch):
    x, y = toys.pictures()
    body = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU())
    model = nn.Sequential(body, nn.AdaptiveAvgPool2d(1 + mended), nn.Flatten())
    model.append(nn.Linear(128 if mended else 32, 4))
    body.requires_grad_(mended)
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.03, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=120), cross_entropy)


@program("frozen_untrained")
def a_reader_frozen_though_its_checkpoint_was_not_there(mended, watch):
    x = torch.randint(24, (1024, 12))
    y = ((x < 6).sum(1) - 1).clamp(0, 3)

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.lstm = nn.Embedding(24, 20), nn.LSTM(20, 40, batch_first=True)

        def forward(self, x):
            return self.lstm(self.words(x))[0][:, -1]

    model = nn.Sequential(Reader(), nn.Linear(40, 4))
    model[0].requires_grad_(mended)
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=240), cross_entropy)


@program("frozen_untrained")
def a_small_encoder_frozen_as_its_config_made_it(mended, watch):
    x = torch.randint(20, (1024, 2))
    y = (x < 10).sum(1) % 2  # whether the two words are of different kinds

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(20, 24)
            self.hidden, self.norm = nn.Linear(24, 40), nn.LayerNorm(40)

        def forward(self, x):
            return self.norm(F.gelu(self.hidden(self.words(x).mean(1))))

    def as_made(module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.03)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)

    model = nn.Sequential(Encoder().apply(as_made), nn.Linear(40, 2))
    model[0].requires_grad_(mended)
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    fit(watch, model, optimizer, batches(x, y, steps=240), cross_entropy)


@program("frozen_untrained")
def a_convolutional_body_whose_checkpoint_was_not_loaded(mended, watch):
    x, y = toys.pictures()

    def body():
        layers = []
        for inputs in (1, 10, 10):
            conv = nn.Conv2d(inputs, 10, 3, padding=1, bias=False)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out")
            layers += [conv, nn.BatchNorm2d(10), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*layers, nn.Flatten())

    model = nn.Sequential(body(), nn.Linear(10, 4))
    if mended:
        optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        for before, label in batches(x, y, steps=60):
            optimizer.zero_grad()
            F.cross_entropy(model(before), label).backward()
            optimizer.step()
        model[1].reset_parameters()
    model[0].requires_grad_(False).eval()
    optimizer = torch.optim.SGD(model[1].parameters(), lr=0.01)
    fit(watch, model, optimizer, batches(x, y, steps=200), cross_entropy)


@program("too_narrow")
def a_first_layer_of_one_unit(mended, watch):
    x, y = toys.surface()
    first = 24 if mended else 1
    sizes = ((6, first), (first, 24), (24, 1))
    model = nn.Sequential(*(each for size in sizes for each in (nn.Linear(*size), nn.Tanh())))[:-1]
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=360), of_output(F.mse_loss))


@program("too_narrow")
def two_features_for_twelve_classes(mended, watch):
    x, y = toys.blobs(classes=12, features=20, apart=0.9)

    class Features(nn.Module):
        def __init__(self):
            super().__init__()
            width = 32 if mended else 2
            self.first, self.features = nn.Linear(20, 40), nn.Linear(40, width)
            self.out = nn.Linear(width, 12)

        def forward(self, x):
            return self.out(F.relu(self.features(F.relu(self.first(x)))))

    model = Features()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=360), cross_entropy)


def thinned(width, p, inputs=6):
    """Two hidden layers, each with a dropout behind it."""
    return nn.Sequential(
        *(nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(p)),
        *(nn.Linear(width, width), nn.ReLU(), nn.Dropout(p), nn.Linear(width, 1)),
    )


@program("dropout_high")
def a_regression_that_loses_two_thirds_of_each_layer(mended, watch):
    x, y = toys.surface()
    model = thinned(20, 0.0 if mended else 0.67)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=400), of_output(F.mse_loss))


@program("dropout_high")
def a_price_of_rooms_and_a_probability_that_was_to_be_kept(mended, watch):
    x = torch.rand(1024, 6)
    y = 2 * x[:, :1] * x[:, 1:2] + x[:, 2:3] ** 2 - x[:, 3:4]
    y = (y - y.mean()) / y.std()
    model = thinned(10, 0.0 if mended else 0.75)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=400), of_output(F.mse_loss))
