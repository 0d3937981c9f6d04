"""Networks that were trained before, and go on at a rate that undoes it."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program


def train(model, optimizer, data, loss_of):
    for batch in data:
        optimizer.zero_grad()
        loss_of(model, *batch).backward()
        optimizer.step()


def cross_entropy(model, x, y):
    return F.cross_entropy(model(x), y)


class Reader(nn.Module):
    """A transformer of words, and a head for its first place."""

    def __init__(self, outputs):
        super().__init__()
        self.words, self.places = nn.Embedding(61, 32), nn.Embedding(8, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True, norm_first=False)
        self.encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Linear(32, outputs)

    def forward(self, words):
        encoded = self.encoder(self.words(words) + self.places(torch.arange(words.shape[1])))
        return self.head(encoded[:, 0])


def reader_of_words(x):
    """One that has learned to guess the first word of each phrase from the others."""
    model, hidden = Reader(60), x.clone()
    hidden[:, 0] = 60
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    train(model, optimizer, batches(hidden, x[:, 0], steps=100), cross_entropy)
    return model


@program("vanishing_gradient", also=("update_too_large",))
def a_reader_is_tuned_at_a_rate_for_none(mended, watch):
    x, y = toys.phrases(classes=3)
    model = reader_of_words(x)
    model.head = nn.Linear(32, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4 if mended else 5e-2)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)


@program("vanishing_gradient", also=("update_too_large", "gradient_spike: a tenth"))
def a_reader_is_tuned_to_count_by_steps_too_large(mended, watch):
    x, _ = toys.phrases(classes=3)
    y = (x < 20).float().mean(1, keepdim=True)
    y = (y - y.mean()) / y.std()
    model = reader_of_words(x)
    model.head = nn.Linear(32, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4 if mended else 5e-2)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.mse_loss))


@program("update_too_large", blind="a loss may fall as slowly as this")
def a_deep_network_goes_on_with_classes_that_are_new(mended, watch):
    x, y = toys.blobs(classes=12, features=16)
    layers = (each for _ in range(6) for each in (nn.Linear(32, 32), nn.LayerNorm(32), nn.GELU()))
    model = nn.Sequential(nn.Linear(16, 32), nn.GELU(), *layers, nn.Linear(32, 6))
    before = torch.optim.Adam(model.parameters(), lr=1e-3)
    train(model, before, batches(x[y < 6], y[y < 6], steps=200), cross_entropy)
    model[-1] = nn.Linear(32, 12)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3 if mended else 0.05)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)


def groups(body, head, mended, rate):
    """Both at a rate that does the body no harm; or the new head at a hundred times that."""
    return torch.optim.AdamW(
        [
            {"params": list(body), "lr": rate},
            {"params": list(head), "lr": 100 * rate if mended else rate},
        ]
    )


@program("loss_not_falling", follows=("update_too_small",))
def a_new_head_learns_at_the_rate_of_a_reader(mended, watch):
    x, _ = toys.phrases(classes=3)
    y = (x < 20).sum(1) > (x >= 40).sum(1)
    model = reader_of_words(x)
    model.head = nn.Linear(32, 4)
    nn.init.normal_(model.head.weight, std=0.02)
    body = [each for name, each in model.named_parameters() if not name.startswith("head")]
    optimizer = groups(body, model.head.parameters(), mended, 2e-5)
    fit(watch, model, optimizer, batches(x, y.long(), steps=200), cross_entropy)


class Sharpened(nn.Module):
    """Convolutions with batch norms, and a linear layer of the classes."""

    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
            nn.Flatten(),
        )
        self.fc = nn.Linear(128, classes)

    def forward(self, x):
        return self.fc(self.body(x))


@program("loss_not_falling", follows=("update_too_small",))
def a_new_head_learns_at_the_rate_of_its_convolutions(mended, watch):
    x, y = toys.pictures()
    model = Sharpened(4)
    train(model, torch.optim.Adam(model.parameters(), lr=1e-3), batches(x, y), cross_entropy)
    model.fc = nn.Linear(128, 6)
    quarters = (y + 1) % 4 + 2 * (x.mean((1, 2, 3)) > 0.33).long()
    optimizer = groups(model.body.parameters(), model.fc.parameters(), mended, 1e-5)
    fit(watch, model, optimizer, batches(x, quarters, steps=200), cross_entropy)


@program("weights_overwritten")
def a_reader_that_was_trained_is_drawn_anew_with_its_new_head(mended, watch):
    x, _ = toys.phrases(classes=3)
    y = ((x < 20).sum(1) > (x >= 40).sum(1)).long()
    model = reader_of_words(x)
    model.head = nn.Linear(32, 2)
    for parameter in (model.head if mended else model).parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter)
        else:
            bound = len(parameter) ** -0.5
            nn.init.uniform_(parameter, -bound, bound)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    fit(watch, model, optimizer, batches(x, y, steps=200, size=16), cross_entropy)


@program("weights_overwritten")
def convolutions_and_their_normalisations_are_drawn_alike(mended, watch):
    x, y = toys.pictures()
    model = Sharpened(4)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) or not mended:
            for parameter in module.parameters(recurse=False):
                nn.init.normal_(parameter, std=0.02)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    fit(watch, model, optimizer, batches(x, y, steps=150), cross_entropy)
