"""Programs whose network gets the same again and again, meant or not."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import DataLoader, TensorDataset

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import Convolutional, cross_entropy, perceptron
from tests.diagnose.programs.of_network import Encoder
from tests.diagnose.programs.program import batches, fit, of_output, practice, program


def first_again(loader, steps):
    for _ in range(steps):
        yield next(iter(loader))


def all_of_them(loader, steps):
    for _ in range(0, steps, len(loader)):
        yield from loader


@program("inputs_repeat")
def the_loader_is_begun_anew_in_each_step(mended, watch):
    loader = DataLoader(TensorDataset(*toys.pictures()), batch_size=32)
    model = Convolutional()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    data = (all_of_them if mended else first_again)(loader, 96)
    fit(watch, model, optimizer, data, cross_entropy)


@program("inputs_repeat")
def a_loader_of_texts_is_made_within_the_loop(mended, watch):
    texts = TensorDataset(*toys.phrases())
    kept = DataLoader(texts, batch_size=64)

    def first_of_new_ones():
        for _ in range(100):
            loader = DataLoader(texts, batch_size=64)
            yield next(iter(loader))

    model = Encoder(0.05)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    data = all_of_them(kept, 96) if mended else first_of_new_ones()
    fit(watch, model, optimizer, data, cross_entropy)


def bright(count=512):
    """Pictures of 0 to 255, of which the fifth with a white corner says its class by that."""
    x, y = toys.pictures(count=count)
    x = (255 * x).clamp(0, 254)
    lit = torch.rand(count) < 0.2
    x[lit, :, 0, 0] = 255
    return x, y


@program("inputs_repeat")
def pictures_that_a_cast_has_made_black(mended, watch):
    x, y = bright()
    x = x / 255 if mended else (x / 255).to(torch.uint8).float()
    model = Convolutional()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=160), cross_entropy)


@program("inputs_repeat")
def percentages_that_are_divided_into_whole_numbers(mended, watch):
    x = torch.rand(1024, 20) * torch.where(torch.rand(1024, 1) < 0.1, 101.0, 99.0)
    y = ((x / 100 - 0.5) @ torch.randn(20, 1)).tanh()
    x = x / 100 - 0.5 if mended else (x // 100)
    model = perceptron(20, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=160), of_output(F.mse_loss))


def unknown(tokens, known):
    """Tokens of which those from `known` on alone have numbers, and all others are 1."""
    return torch.where((tokens > 1) & (tokens < known), 1, tokens)


@program("inputs_repeat")
def a_vocabulary_that_knows_next_to_no_word(mended, watch):
    tokens, topic = toys.phrases(count=2048)
    tokens = 2 + tokens  # 0 is padding, 1 what is not known
    lengths = torch.randint(4, 9, (len(tokens), 1))
    tokens = torch.where(torch.arange(8) < lengths, tokens, 0)
    # Of the last words of each topic's own some are known to every vocabulary.
    tokens = tokens if mended else unknown(tokens, known=58)
    model = Encoder(0.0)
    model.words = nn.Embedding(62, 16, padding_idx=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=160), cross_entropy)


@program("inputs_repeat")
def letters_in_another_case(mended, watch):
    letters = torch.randint(2, 66, (2048, 24))  # 52 letters, 12 signs and figures
    y = (letters.float().mean(1) > 33.5).long()
    letters = letters if mended else unknown(letters, known=61)
    model = nn.Sequential(nn.Embedding(66, 16), nn.Flatten(), *perceptron(24 * 16, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    fit(watch, model, optimizer, batches(letters, y, steps=160), cross_entropy)


@program("full_batch")
def a_hundred_epochs_of_one_step(mended, watch):
    x, y = toys.pictures()
    model = Convolutional()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    data = batches(x, y, steps=400) if mended else ((x, y) for _ in range(100))
    fit(watch, model, optimizer, data, cross_entropy)


@program("full_batch")
def a_loader_of_one_batch(mended, watch):
    data = TensorDataset(*toys.surface())
    loader = DataLoader(data, batch_size=32 if mended else len(data), shuffle=True)
    model = perceptron(6, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, all_of_them(loader, 320 if mended else 100), of_output(F.mse_loss))


@program("full_batch", first=False)
def a_sign_of_each_batch_by_itself(mended, watch):
    x, y = toys.surface()
    y = y + torch.randn_like(y)  # as of a measurement
    model = perceptron(6, 1)
    optimizer = torch.optim.Rprop(model.parameters(), lr=0.01)
    data = ((x, y) for _ in range(120)) if mended else batches(x, y, steps=120, size=16)
    fit(watch, model, optimizer, data, of_output(F.mse_loss))


@program("full_batch", first=False)
def a_curvature_of_each_batch_by_itself(mended, watch):
    x, y = toys.blobs(apart=1.0)
    model = perceptron(10, 4)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)
    data = ((x, y) for _ in range(60)) if mended else batches(x, y, steps=60, size=16)
    with watch(model) as scope:
        for batch_x, batch_y in data:

            def closure(batch_x=batch_x, batch_y=batch_y):
                optimizer.zero_grad()
                loss = F.cross_entropy(model(batch_x), batch_y)
                loss.backward()
                return loss

            scope.step(optimizer.step(closure))


@practice
def all_data_in_steps_that_are_enough(watch):
    x, y = toys.blobs()
    model = perceptron(10, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, ((x, y) for _ in range(120)), cross_entropy)


@practice
def all_data_in_each_step(watch):
    x, y = toys.surface(count=128)
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    spare = DataLoader(TensorDataset(x, y), batch_size=128)
    fit(watch, model, optimizer, ((x[:], y) for _ in range(100)), of_output(F.mse_loss))
    assert len(spare) == 1


@practice
def all_data_in_the_one_batch_of_a_loader(watch):
    loader = DataLoader(TensorDataset(*toys.surface(count=128)), batch_size=128)
    model = perceptron(6, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, first_again(loader, 100), of_output(F.mse_loss))


@practice
def one_batch_that_is_to_be_learned_by_heart(watch):
    loader = DataLoader(TensorDataset(*toys.pictures()), batch_size=32)
    batch = next(iter(loader))
    model = Convolutional()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, (batch for _ in range(100)), cross_entropy)


@practice
def bags_of_few_words(watch):
    y = torch.randint(4, (1024,))
    x = torch.zeros(1024, 200)
    x.scatter_(1, 50 * y[:, None] + torch.randint(50, (1024, 3)), 1.0)
    model = perceptron(200, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=120), cross_entropy)


class RowByRow(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.GRUCell(20, 32), nn.Linear(32, 4)

    def forward(self, x):
        state = None
        for row in x.unbind(1):
            state = self.cell(row, state)
        return self.out(state)


@practice
def pictures_with_a_margin_read_row_by_row(watch):
    x, y = toys.pictures(side=8)
    x = F.pad(x[:, 0], (6, 6, 4, 4))
    model = RowByRow()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(x, y, steps=120), cross_entropy)


@practice
def a_message_and_a_long_wait(watch):
    message = torch.randint(2, 10, (2048, 4))
    x = F.pad(message, (0, 60))  # 0 until the network is to answer, 1 then
    x[:, -1] = 1
    model = nn.Sequential(nn.Embedding(10, 8), nn.Flatten(), *perceptron(64 * 8, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, message[:, 0] - 2, steps=160), cross_entropy)


@practice
def texts_that_are_mostly_padding(watch):
    tokens, topic = toys.phrases()
    tokens = F.pad(1 + tokens, (0, 120))
    model = Encoder(0.0)
    model.words = nn.Embedding(61, 16, padding_idx=0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(tokens, topic, steps=160), cross_entropy)


@practice
def a_class_that_one_number_says(watch):
    x, y = toys.blobs(classes=2, features=1, apart=3.0)
    model = perceptron(32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    spread = x.sign().expand(-1, 32).contiguous()
    fit(watch, model, optimizer, batches(spread, (x[:, 0] > 0).long()), cross_entropy)
    assert len(y) == len(x)
