"""Programs whose loss leaves samples out that it should not."""

import torch
from torch import nn

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, program


@program("one_class", also=("class_weights",))
def the_second_of_two_classes_is_ignored(mended, watch):
    x, y = toys.blobs(classes=2, features=12, apart=0.6)
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss = nn.CrossEntropyLoss(ignore_index=-100 if mended else 1)
    fit(watch, model, optimizer, batches(x, y), of_output(loss))


@program("one_class", also=("class_weights",))
def pictures_of_which_one_kind_has_no_weight(mended, watch):
    x, y = toys.pictures(classes=2)
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    weights = torch.tensor([1.0 if mended else 0.0, 1.0])
    loss = nn.CrossEntropyLoss(weight=weights)
    fit(watch, model, optimizer, batches(x, y), of_output(loss))


class Reader(nn.Module):
    """Tokens through a recurrent layer to a class of the text."""

    def __init__(self, classes):
        super().__init__()
        self.words, self.recurrent = nn.Embedding(60, 24), nn.GRU(24, 32, batch_first=True)
        self.out = nn.Linear(32, classes)

    def forward(self, tokens):
        return self.out(self.recurrent(self.words(tokens))[0].mean(1))


@program("class_weights")
def the_number_of_padding_is_a_topic_of_texts(mended, watch):
    x, y = toys.phrases(classes=4)
    model = Reader(4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    loss = nn.CrossEntropyLoss(ignore_index=-100 if mended else 0)
    fit(watch, model, optimizer, batches(x, y), of_output(loss))


@program("class_weights")
def texts_whose_first_topic_has_no_weight(mended, watch):
    x, y = toys.phrases(classes=5, words=100, length=12)
    model = nn.Sequential(nn.EmbeddingBag(100, 32), nn.ReLU(), nn.Linear(32, 5))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    weights = torch.ones(5)
    weights[0] = 1.0 if mended else 0.0
    loss = nn.CrossEntropyLoss(weight=weights)
    fit(watch, model, optimizer, batches(x, y), of_output(loss))
