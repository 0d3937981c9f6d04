"""Losses of cosines: outputs that all point one way, and logits that are cosines times a scale."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.figures.contrast import scale_of_cosines
from layerscope.figures.directions import direction_figures, is_mean_cosine
from tests.diagnose.programs import toys
from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import Program, batches, fit
from tests.diagnose.test_rules import found, healthy, network


def rules(network, loss_of, steps=1, rate=1e-3):
    def run(_, watch):
        torch.manual_seed(1)
        x, y = toys.blobs(classes=8, features=16)
        model = network()
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        fit(watch, model, optimizer, batches(x, y, steps=steps), loss_of)

    return [finding.rule for finding in judged(Program("", run), mended=False)]


def perceptron():
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))


def drawn_together(model, x, _):
    return 1 - F.cosine_similarity(model(x), model(x + 0.3 * torch.randn_like(x))).mean()


def told_apart(model, x, _):
    one, other = (F.normalize(model(x + 0.3 * torch.randn_like(x)), dim=1) for _ in range(2))
    return F.cross_entropy(one @ other.T / 0.2, torch.arange(len(x)))


def test_outputs_that_are_only_drawn_together_are_told_of():
    assert rules(perceptron, drawn_together, steps=96, rate=1e-2) == ["outputs_alike"]
    assert rules(perceptron, told_apart, steps=96, rate=1e-2) == []


@pytest.mark.parametrize(
    ("first", "later", "since", "told"),
    [
        (0.5, 0.91, 40, True),
        (0.5, 0.89, 40, False),
        (0.75, 0.91, 40, False),
        (0.5, 0.91, 130, False),
    ],
)
def test_outputs_that_were_apart_and_are_drawn_together_for_long_are_told_of(
    first, later, since, told
):
    figures = healthy(network(), 200)
    figures["output_cosine"][::10] = np.where(np.arange(0, 200, 10) < since, first, later)
    assert ("outputs_alike" in found(figures)) == told


@pytest.mark.parametrize(("kind", "told"), [(0, True), (1, False)])
def test_outputs_that_are_compared_with_targets_are_under_no_loss_of_cosines(kind, told):
    figures = healthy(network(), 120)
    figures["output_cosine"][::10], figures["loss_kind"][::10] = 0.9999, kind
    assert ("outputs_alike" in found(figures)) == told


def test_the_cosine_between_outputs_is_told_where_they_are_only_turned():
    output = np.random.default_rng(0).normal(size=(20, 5))
    slope = np.random.default_rng(1).normal(size=(20, 5))
    assert direction_figures(output, slope) == {}
    unit = output / np.linalg.norm(output, axis=1, keepdims=True)
    across = slope - (slope * unit).sum(1, keepdims=True) * unit
    cosines = unit @ unit.T
    expected = (cosines.sum() - 20) / (20 * 19)
    assert direction_figures(output, across)["output_cosine"] == pytest.approx(expected)


@pytest.mark.parametrize("reduced", [torch.mean, torch.sum])
def test_a_mean_of_negative_cosines_is_told_of_by_the_gradients_lengths(reduced):
    output, word = torch.randn(2, 12, 5, dtype=torch.float64).requires_grad_()
    for target, told in ((-output.detach() + 0.3 * word.detach(), True), (word.detach(), False)):
        loss = reduced(F.cosine_similarity(output, target))
        (slope,) = torch.autograd.grad(loss, output)
        both = output.detach().numpy(), slope.numpy()
        assert is_mean_cosine(*both, loss.item()) == told
        assert not is_mean_cosine(*both, 1.1 * loss.item())


@pytest.mark.parametrize(
    ("values", "severity"), [((0, 1, 1, 1), "warning"), ((1, 1, 0, 1), "note")]
)
def test_a_loss_that_is_a_cosine_without_its_minus_is_warned_of(values, severity):
    figures = healthy(network(), 40)
    figures["loss"][:], figures["loss_kind"][::10] = -0.5, 0
    figures["loss_of_cosines"][::10] = values
    assert found(figures)["negative_loss"][0] == severity


class Cosines(nn.Module):
    """Logits that are cosines times a scale."""

    def __init__(self, scale, normalizes=True):
        super().__init__()
        self.body, self.weight = perceptron(), nn.Parameter(torch.randn(8, 16))
        self.scale, self.normalizes = scale, normalizes

    def forward(self, x):
        x, weight = self.body(x), self.weight
        if self.normalizes:
            x, weight = F.normalize(x), F.normalize(weight)
        return self.scale * F.linear(x, weight)


def cross_entropy(model, x, y):
    return F.cross_entropy(model(x), y)


def test_cosines_times_a_usual_scale_are_no_overconfident_start():
    assert rules(lambda: Cosines(64.0), cross_entropy) == []
    assert rules(lambda: Cosines(2000.0), cross_entropy) == ["overconfident_start"]
    assert rules(lambda: Cosines(64.0, normalizes=False), cross_entropy) == ["overconfident_start"]


def test_a_part_of_an_accumulated_batch_is_no_overconfident_start():
    def run(_, watch):
        model = perceptron()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        with watch(model) as scope:
            x, y = toys.blobs(classes=16, features=16, apart=0.0)
            loss = F.cross_entropy(model(x), y)
            (loss / 16).backward()
            optimizer.step()
            scope.step(loss.detach())

    assert judged(Program("", run), mended=False) == []


ROWS = torch.arange(10)


def both_ways(logits):
    return (F.cross_entropy(logits, ROWS) + F.cross_entropy(logits.T, ROWS)) / 2


@pytest.mark.parametrize("scale", [0.07, 1.0, 3.0, 14.0])
@pytest.mark.parametrize(
    "loss_of",
    [both_ways, lambda z: F.cross_entropy(z, ROWS), lambda z: F.cross_entropy(z.T, ROWS)],
    ids=["both", "one", "other"],
)
def test_the_scale_of_two_outputs_cosines_is_told_by_their_gradients(loss_of, scale):
    raw = [torch.randn(10, 6, dtype=torch.float64) for _ in range(2)]
    for outputs in (raw, [F.normalize(each) for each in raw]):
        outputs = [each.clone().requires_grad_() for each in outputs]
        loss = loss_of(scale * F.normalize(outputs[0]) @ F.normalize(outputs[1]).T)
        slopes = torch.autograd.grad(loss, outputs)
        pairs = zip(outputs, slopes, strict=True)
        told = scale_of_cosines(*(each.detach().numpy() for pair in pairs for each in pair))
        assert np.isnan(told) if scale > 4 else told == pytest.approx(scale, rel=1e-3)


def test_of_other_losses_of_two_outputs_no_scale_is_told():
    other = (
        lambda u, v: (u - v).square().sum(1).mean(),
        lambda u, v: -F.cosine_similarity(u, v).mean(),
        lambda u, v: F.cross_entropy(F.normalize(u) @ F.normalize(v).T, ROWS.flip(0)),
    )
    for loss_of in other:
        outputs = [torch.randn(10, 6, dtype=torch.float64).requires_grad_() for _ in range(2)]
        slopes = torch.autograd.grad(loss_of(*outputs), outputs)
        pairs = zip(outputs, slopes, strict=True)
        assert np.isnan(scale_of_cosines(*(e.detach().numpy() for pair in pairs for e in pair)))
