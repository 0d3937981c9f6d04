"""Networks that tell the class of each place, with the classes before the places."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, fit, of_output, practice, program


def heartbeats(count=512, length=40):
    """Series [count, 1, length] of flat, rising and falling stretches, and which kind each place is
    of, [count, length].
    """
    kind = torch.randint(3, (count, length // 8)).repeat_interleave(8, 1)
    slope = torch.tensor([0.0, 0.5, -0.5])[kind]
    series = slope.cumsum(1)
    series = (series - series.mean(1, keepdim=True)) / 3 + 0.05 * torch.randn(count, length)
    return series[:, None], kind


def tagger(classes=3, width=24, end=()):
    """Gives [samples, classes, places]."""
    return nn.Sequential(
        *(nn.Conv1d(1, width, 5, padding=2), nn.ReLU()),
        *(nn.Conv1d(width, width, 5, padding=2), nn.ReLU()),
        *(nn.Conv1d(width, classes, 1), *end),
    )


@program("overconfident_start")
def a_tagger_whose_last_convolution_starts_large(mended, watch):
    x, y = heartbeats()
    model = tagger()
    if not mended:
        nn.init.normal_(model[-1].weight, std=8.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))


@program("loss_after_activation")
def a_tagger_that_ends_with_a_softmax_over_its_classes(mended, watch):
    x, y = heartbeats()
    model = tagger(end=() if mended else [nn.Softmax(dim=1)])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))


@program("one_class")
def a_tagger_whose_labels_were_divided_to_one(mended, watch):
    x, y = heartbeats()
    y = y if mended else y // 4
    model = tagger()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.cross_entropy))


class Encoder(nn.Module):
    """A recurrence over tokens whose logits are turned for `cross_entropy`: [n, tags, tokens]."""

    def __init__(self, vocabulary, tags):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 24)
        self.gru = nn.GRU(24, 24, batch_first=True, bidirectional=True)
        self.head = nn.Linear(48, tags)

    def forward(self, tokens):
        return self.head(self.gru(self.embedding(tokens))[0]).transpose(1, 2)


def tagged(count=768, length=14, vocabulary=50):
    """Tokens, and for each how it stands to the one before: lower, the same or higher by class."""
    tokens = torch.randint(vocabulary, (count, length))
    before = tokens.roll(1, 1)
    before[:, 0] = 0
    tags = (tokens % 5 > before % 5).long() + 2 * (tokens % 5 == before % 5).long()
    return tokens, tags


@program("loss_reduction")
def a_tagger_with_a_sum_for_its_loss(mended, watch):
    tokens, tags = tagged()
    model = Encoder(50, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    loss = nn.CrossEntropyLoss(reduction="mean" if mended else "sum")
    fit(watch, model, optimizer, batches(tokens, tags, steps=120), of_output(loss))


@practice
def classes_of_pixels_by_log_softmax(watch):
    x = torch.rand(256, 1, 8, 8)
    y = (x[:, 0] > 0.4).long() + (x[:, 0] > 0.7).long()
    model = nn.Sequential(nn.Conv2d(1, 16, 1), nn.ReLU(), nn.Conv2d(16, 3, 1), nn.LogSoftmax(dim=1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x, y), of_output(F.nll_loss))


@practice
def classes_of_places_by_log_softmax(watch):
    x, y = heartbeats()
    model = tagger(end=[nn.LogSoftmax(dim=1)])
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y), of_output(F.nll_loss))


@practice
def where_an_answer_begins_and_ends(watch):
    """Two softmaxes over the places of a sequence, as of questions and answers."""

    class Spans(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.gru = (
                nn.Embedding(30, 24),
                nn.GRU(24, 24, batch_first=True, bidirectional=True),
            )
            self.head = nn.Linear(48, 2)

        def forward(self, tokens):
            return self.head(self.gru(self.embedding(tokens))[0])

    tokens = torch.randint(3, 30, (1024, 16))
    start = torch.randint(8, (1024,))
    end = start + torch.randint(1, 6, (1024,))
    tokens[torch.arange(1024), start], tokens[torch.arange(1024), end] = 1, 2

    def loss_of(model, tokens, start, end):
        first, last = model(tokens).unbind(-1)
        return (F.cross_entropy(first, start) + F.cross_entropy(last, end)) / 2

    model = Spans()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    fit(watch, model, optimizer, batches(tokens, start, end, steps=150), loss_of)
