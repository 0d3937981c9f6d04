"""Programs that were judged once, when they were written, and that no rule was mended on since.

`missed` and `warned` say what went wrong, that once. Whoever mends a rule on one of them moves it.
"""

import copy

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Convolutional, cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, held_out, of_output


class Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(1, 8, 5, stride=2), nn.Conv1d(8, 16, 5, stride=2)
        self.out = nn.Linear(16, 2)

    def forward(self, sound):
        x = F.relu(self.second(F.relu(self.first(sound))))
        return self.out(x.mean(2))


@held_out("input_scale")
def sixteen_bit_samples(mended, watch):
    y = torch.randint(2, (512,))
    time = torch.arange(64.0) * (0.2 + 0.4 * y[:, None])
    sound = (8000 * torch.sin(time + 6.3 * torch.rand(512, 1))).round()[:, None]
    model = Listener()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(sound / 8000 if mended else sound, y), cross_entropy)


@held_out("target_scale")
def populations_of_cities(mended, watch):
    x, y = toys.surface()
    people = 250_000 + 90_000 * y
    model = perceptron(6, 1, width=64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    target = (people - people.mean()) / people.std() if mended else people
    fit(watch, model, optimizer, batches(x, target), of_output(F.smooth_l1_loss))


class Squashed(nn.Module):
    def __init__(self, squash):
        super().__init__()
        self.body, self.squash = perceptron(6, 1), squash

    def forward(self, x):
        return torch.tanh(self.body(x)) if self.squash else self.body(x)


@held_out("target_out_of_range")
def a_tanh_on_targets_of_minus_three_to_three(mended, watch):
    x, y = toys.surface()
    model = Squashed(squash=not mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), lambda m, x, y: (m(x) - y).pow(2).mean())


class Labelled(nn.Module):
    def __init__(self, softmax):
        super().__init__()
        self.body, self.softmax = Convolutional(), softmax

    def forward(self, image):
        scores = self.body(image)
        return {"scores": scores.softmax(-1) if self.softmax else scores}


@held_out("loss_after_activation")
def a_dict_of_probabilities_into_cross_entropy(mended, watch):
    x, y = toys.pictures()
    model = Labelled(softmax=not mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    fit(watch, model, optimizer, batches(x, y), lambda m, x, y: criterion(m(x)["scores"], y))


class Speller(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.rnn = nn.Embedding(60, 16), nn.LSTM(16, 24, batch_first=True)
        self.out = nn.Linear(24, 3)

    def forward(self, tokens):
        return self.out(self.rnn(self.words(tokens))[0][:, -1])


@held_out("loss_diverged", first=False, also=("update_too_large",))
def rmsprop_at_one_half(mended, watch):
    tokens, topic = toys.phrases()
    model = Speller()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3 if mended else 0.5)
    fit(watch, model, optimizer, batches(tokens, topic), cross_entropy)


@held_out("not_optimized")
def the_optimizer_of_a_copy(mended, watch):
    x, y = toys.blobs()
    model = perceptron(10, 4)
    trained = model if mended else copy.deepcopy(model)
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.05, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@held_out("gradients_accumulate")
def zero_grad_of_the_wrong_module(mended, watch):
    series, following = toys.waves()
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 24), nn.Tanh(), nn.Linear(24, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    criterion = nn.MSELoss()
    with watch(model) as scope:
        for inputs, target in batches(series, following):
            (model if mended else criterion).zero_grad()
            loss = criterion(model(inputs), target)
            loss.backward()
            optimizer.step()
            scope.step(loss)


@held_out("loss_not_falling", first=False, also=("update_too_small",))
def a_rate_of_one_ten_millionth(mended, watch):
    x, y = toys.pictures()
    model = Convolutional()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05 if mended else 1e-7, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y, steps=120), cross_entropy)


@held_out("dead_units")
def biases_of_minus_five(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(16 * 16, 4)),
    )
    if not mended:
        nn.init.constant_(model[2].bias, -5.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@held_out("vanishing_gradient")
def a_dozen_sigmoids(mended, watch):
    x, y = toys.blobs()
    function = nn.ReLU if mended else nn.Sigmoid
    hidden = [part for _ in range(11) for part in (nn.Linear(24, 24), function())]
    model = nn.Sequential(nn.Linear(10, 24), function(), *hidden, nn.Linear(24, 4))
    if mended:
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
                nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@held_out("overconfident_start")
def a_head_drawn_with_a_deviation_of_five(mended, watch):
    x, y = toys.blobs(classes=8)
    model = perceptron(10, 8)
    if not mended:
        nn.init.normal_(model[4].weight, std=5.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@held_out("one_class")
def a_threshold_that_nothing_reaches(mended, watch):
    x, y = toys.surface()
    above = (y[:, 0] > (0.5 if mended else 500.0)).long()
    model = perceptron(6, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, above), cross_entropy)


@held_out("labels_without_signal", missed="loss_not_falling")
def targets_drawn_anew_in_each_batch(mended, watch):
    x, y = toys.pictures()
    model = Convolutional()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss(m, x, y):
        return F.cross_entropy(m(x), y if mended else y[torch.randperm(len(y))])

    fit(watch, model, optimizer, batches(x, y, steps=220), loss)


@held_out("constant_weights")
def a_constant_in_every_hidden_layer(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh())
    model.append(nn.Linear(24, 1))
    if not mended:
        for layer in (model[0], model[2]):
            nn.init.constant_(layer.weight, 0.2)
            nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))


class Pyramid(nn.Module):
    def __init__(self, mended):
        super().__init__()
        made = (nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1))
        self.stages = nn.ModuleList(made) if mended else made
        self.out = nn.Linear(8, 4)

    def forward(self, x):
        for stage in self.stages:
            x = F.max_pool2d(F.relu(stage(x)), 2)
        return self.out(x.amax((2, 3)))


@held_out("not_registered")
def convolutions_in_a_tuple(mended, watch):
    x, y = toys.pictures()
    model = Pyramid(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@held_out("loss_broadcast")
def squeezed_outputs_and_a_column_of_targets(mended, watch):
    x, y = toys.surface()
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss(m, x, y):
        out = m(x).squeeze()
        return ((out - (y[:, 0] if mended else y)) ** 2).mean()

    fit(watch, model, optimizer, batches(x, y), loss)


class Probe(nn.Module):
    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.body = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        with torch.set_grad_enabled(self.mended):
            features = self.body(x)
        return self.head(features)


@held_out("no_gradient")
def a_body_under_no_grad(mended, watch):
    x, y = toys.blobs()
    model = Probe(mended)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@held_out("learning_rate_gone")
def a_rate_halved_in_every_batch(mended, watch):
    tokens, topic = toys.phrases()
    model = Speller()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    with watch(model) as scope:
        for step, (inputs, labels) in enumerate(batches(tokens, topic, steps=120)):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), labels)
            loss.backward()
            optimizer.step()
            if not mended or step % 50 == 49:
                scheduler.step()
            scope.step(loss)


@held_out("softmax_over_batch")
def log_softmax_along_the_batch(mended, watch):
    x, y = toys.blobs(classes=5)
    model = nn.Sequential(nn.Linear(10, 24), nn.ELU(), nn.Linear(24, 5))
    model.append(nn.Softmax(dim=-1 if mended else 0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    fit(
        watch,
        model,
        optimizer,
        batches(x, y),
        lambda m, x, y: F.nll_loss(torch.log(m(x) + 1e-8), y),
    )


@held_out("in_evaluation_mode")
def dropout_in_evaluation_mode(mended, watch):
    x, y = toys.blobs()
    model = nn.Sequential(nn.Linear(10, 64), nn.GELU(), nn.Dropout(0.3), nn.Linear(64, 4))
    model.train(mended)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)
