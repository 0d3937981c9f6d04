"""Faults of how batches are put together, and of what stands among the inputs or the targets."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import cross_entropy, perceptron
from tests.diagnose.programs.program import batches, fit, of_output, program


def changed(data, change):
    """Batches, each as a function makes it of its tensors."""
    return (change(*batch) for batch in data)


def numbered_here(x, y):
    return x, torch.unique(y, return_inverse=True)[1]


@program("labels_by_batch")
def eight_kinds_numbered_by_the_batch(mended, watch):
    data = batches(*toys.blobs(8, 12), steps=200, size=16)
    model = perceptron(12, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, data if mended else changed(data, numbered_here), cross_entropy)


@program("labels_by_batch")
def pictures_numbered_by_the_batch(mended, watch):
    x, y = toys.pictures()
    data = batches(x, y, steps=300, size=5)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
    fit(watch, model, optimizer, data if mended else changed(data, numbered_here), cross_entropy)


@program("input_scale")
def numbers_brought_between_0_and_1_by_the_batch(mended, watch):
    def scale(x, y):
        low, high = (whole if mended else x).aminmax(dim=0)
        return (x - low) / (high - low), y

    whole, y = toys.surface()
    data = changed(batches(whole, y, steps=120, size=12), scale)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


@program("input_scale")
def kinds_standardised_by_the_batch(mended, watch):
    x, y = toys.blobs(4, 10)
    data = batches(toys.standard(x), y, steps=120, size=8)
    model = perceptron(10, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    by_batch = changed(data, lambda x, y: (toys.standard(x), y))
    fit(watch, model, optimizer, data if mended else by_batch, cross_entropy)


class Catalogue(nn.Module):
    """The worth of a thing by its number, and by two further features."""

    def __init__(self, things, kind):
        super().__init__()
        self.things, self.kind = nn.Embedding(things, 8), kind
        self.rest = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        numbers = x[:, 0].to(self.kind).long()
        return self.rest(torch.cat([self.things(numbers), x[:, 1:]], 1))


def worth_of_things(watch, things, kind, optimizer_of):
    number = torch.randint(things, (4096,))
    x = torch.cat([number[:, None].float(), torch.randn(4096, 2)], 1)
    y = torch.randn(things)[number][:, None] + 0.3 * x[:, 1:2] * x[:, 2:]
    model = Catalogue(things + 8, kind)
    data = batches(x, y, steps=100, size=128)
    fit(watch, model, optimizer_of(model.parameters()), data, of_output(F.mse_loss))


@program("ids_rounded")
def things_numbered_in_bfloat16(mended, watch):
    kind = torch.float32 if mended else torch.bfloat16
    worth_of_things(watch, 900, kind, lambda those: torch.optim.Adam(those, lr=1e-2))


@program("ids_rounded")
def things_numbered_in_float16(mended, watch):
    kind = torch.float32 if mended else torch.float16
    worth_of_things(watch, 9000, kind, lambda those: torch.optim.AdamW(those, lr=5e-3))


@program("target_is_input")
def a_table_with_its_answer(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))
    answer = torch.randn_like(y) if mended else 12 * y + 3
    x = toys.standard(torch.cat([x[:, :5], answer], 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))


@program("one_class")
def several_numbers_from_one_row(mended, watch):
    x, y = toys.surface()
    y = torch.cat([y, x[:, :2], -y], 1)
    y = y if mended else y[:1].expand_as(y)
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.mse_loss))


@program("target_out_of_range", first=False)  # after negative_loss, which says the same
def numbers_in_the_place_of_shares(mended, watch):
    x, y = toys.surface()
    y = torch.cat([y, x[:, 1:3]], 1)
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    loss = of_output(F.mse_loss if mended else F.cross_entropy)
    fit(watch, model, optimizer, batches(x, y, steps=500), loss)


@program("negative_loss")
def a_precision_whose_logarithm_is_added(mended, watch):
    def density(output, y):
        mean, log = output[:, :1], output[:, 1:]
        error = (y - mean).square()
        return (0.5 * error * (-log).exp() + (0.5 if mended else -0.5) * log).mean()

    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    fit(watch, model, optimizer, batches(x, y, steps=500), of_output(density))


@program("loss_not_finite")
def rewards_standardised_in_a_batch_of_one(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def loss(model, x, y):
        y = (y - y.mean()) / (y.std() + 1e-8)
        return F.mse_loss(model(x), y)

    sizes = [32] * 30 + [16 if mended else 1] + [32] * 9
    data = (batch for size in sizes for batch in batches(x, y, steps=1, size=size))
    fit(watch, model, optimizer, data, loss)


@program("loss_not_finite")
def words_longer_than_their_sound(mended, watch):
    words = torch.randint(1, 5, (256, 7))
    x = F.one_hot(words.repeat_interleave(4, 1), 5).float() + 0.3 * torch.randn(256, 28, 5)

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            stride = 1 if mended else 5
            self.body = nn.Sequential(nn.Conv1d(5, 24, 5, stride, 2), nn.ReLU())
            self.out = nn.Conv1d(24, 5, 1)

        def forward(self, x):
            return self.out(self.body(x.transpose(1, 2))).permute(2, 0, 1)

    def loss(model, x, words):
        scores = model(x).log_softmax(2)
        lengths = [torch.full((len(words),), length) for length in (len(scores), 7)]
        return F.ctc_loss(scores, words, *lengths)

    model = Reader()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, words, steps=40), loss)
