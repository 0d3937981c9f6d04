"""A class that is rare is noted where the network leaves it out, and not where it is weighted."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

import layerscope
from tests.diagnose.programs.of_data import perceptron
from tests.diagnose.programs.program import batches, fit

pytestmark = [pytest.mark.slow, pytest.mark.programs]


def two_with_a_rare_one(mended, watch):
    y = (torch.rand(2048, 1) < 0.06).float()
    x = torch.randn(2048, 8) + 0.9 * y
    weight = (1 / y.mean() - 1) if mended else None

    def loss(model, x, y):
        return F.binary_cross_entropy_with_logits(model(x), y, pos_weight=weight)

    model = perceptron(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    fit(watch, model, optimizer, batches(x, y, steps=260), loss)


def five_with_a_rare_one(mended, watch):
    y = torch.multinomial(torch.tensor([0.3, 0.25, 0.2, 0.2, 0.05]), 2048, replacement=True)
    centres = 2.5 * torch.randn(5, 10)
    centres[4] = centres[0] + 0.5
    x = torch.randn(2048, 10) + centres[y]
    weight = 0.2 / (y.bincount() / len(y)) if mended else None

    def loss(model, x, y):
        return F.cross_entropy(model(x), y, weight=weight)

    model = perceptron(10, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=300, size=64), loss)


def ten_tags_that_are_rare(mended, watch):
    x, of_tags = torch.randn(2048, 16), torch.randn(16, 10)
    scores = x @ of_tags + 2 * torch.randn(2048, 10)
    y = (scores > scores.quantile(0.98, 0)).float()

    def loss(model, x, y):
        weight = torch.tensor(49.0) if mended else None
        return F.binary_cross_entropy_with_logits(model(x), y, pos_weight=weight)

    model = perceptron(16, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=240, size=64), loss)


def marks_in_pictures_of_ground(mended, watch):
    y = (torch.rand(256, 20, 20) < 0.003).long() * torch.randint(1, 3, (256, 1, 1))
    x = 0.7 * torch.randn(256, 1, 20, 20) + (y == 1)[:, None] - 1.0 * (y == 2)[:, None]
    model = torch.nn.Sequential(
        *(torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 3, 1))
    )

    def loss(model, x, y):
        weight = torch.tensor([1.0, 300.0, 300.0]) if mended else None
        return F.cross_entropy(model(x), y, weight=weight)

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=240, size=16), loss)


@pytest.mark.parametrize(
    "program",
    [
        *(two_with_a_rare_one, five_with_a_rare_one, ten_tags_that_are_rare),
        marks_in_pictures_of_ground,
    ],
)
def test_a_rare_class_is_noted_until_it_is_weighted(program, tmp_path):
    for mended in (False, True):
        torch.manual_seed(0)
        scopes = []

        def watch(model, scopes=scopes, folder=tmp_path / str(mended)):
            scopes.append(layerscope.watch(model, folder, images=False, summary=False))
            return scopes[-1]

        program(mended, watch)
        found = {each.rule: each.severity for each in scopes[0].findings}
        assert found.get("class_not_predicted") == (None if mended else "note")
