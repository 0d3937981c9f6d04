"""Programs that no rule was mended on, of what layers make of weights, data and steps."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy
from tests.diagnose.programs.of_starts import drawn, stack
from tests.diagnose.programs.of_streams import Convolved
from tests.diagnose.programs.program import batches, fit, held_out, of_output


@held_out("softmax_hidden")
def attributes_that_are_shares_of_a_whole(mended, watch):
    x, y = toys.pictures()
    squash = nn.Sigmoid() if mended else nn.Softmax(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), squash, nn.Linear(128, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fit(watch, model, optimizer, batches(x, y, steps=200), cross_entropy)


class Topic(nn.Module):
    """The topic of a phrase, by the last state of a recurrence."""

    def __init__(self):
        super().__init__()
        self.words, self.rnn = nn.Embedding(60, 16), nn.GRU(16, 24, batch_first=True)
        self.out = nn.Linear(24, 3)

    def forward(self, tokens):
        return self.out(self.rnn(self.words(tokens))[0][:, -1])


@held_out("frozen_untrained", missed="a note: what is left learns from random features")
def a_reader_that_is_frozen_before_its_weights_come(mended, watch):
    tokens, topic = toys.phrases()
    model = Topic()
    if not mended:
        model.words.requires_grad_(False)
        model.rnn.requires_grad_(False)
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1, momentum=0.9)
    fit(watch, model, optimizer, batches(tokens, topic, steps=150), cross_entropy)


@held_out("biased", first=False)
def biases_of_one_under_a_deep_tanh(mended, watch):
    x, y = toys.blobs(features=16)
    model = stack(nn.Tanh, 16, *[48] * 5, 4)
    if not mended:
        drawn(model, 0.5 * 48**-0.5, bias=1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@held_out(
    "exploding_gradient", also=("overconfident_start",), missed="a note; the start is told instead"
)
def twelve_layers_from_a_uniform_of_one_half(mended, watch):
    x, y = toys.pictures()
    model = stack(nn.ReLU, *[64] * 12, 4)
    model.insert(0, nn.Flatten())
    if not mended:
        for module in model.modules():
            if isinstance(module, nn.Linear):
                nn.init.uniform_(module.weight, -0.5, 0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y), cross_entropy)


@held_out("gradient_spike", first=False, also=("loss_diverged",))
def a_batch_that_was_never_scaled(mended, watch):
    x, y = toys.surface(features=6)
    model = stack(nn.Tanh, 6, 48, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    data = [[rows.clone() for rows in batch] for batch in batches(x, y, steps=150)]
    if not mended:
        data[90][1] = 250 + 90 * data[90][1]
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


@held_out("stream_grows", first=False, also=("negative_loss: a penalty is added",))
def a_penalty_that_rewards_large_weights(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        *[Convolved(12, normalized=True) for _ in range(5)],
        nn.BatchNorm2d(12),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    factor = 1e-3 if mended else -0.1

    def loss(model, x, y):
        squares = sum(each.square().sum() for each in model[1:6].parameters())
        return F.cross_entropy(model(x), y) + factor * squares

    fit(watch, model, optimizer, batches(x, y, steps=400, size=16), loss)
