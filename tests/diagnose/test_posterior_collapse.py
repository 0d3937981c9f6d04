"""A divergence that drowns the error of an autoencoder is told, in any form of the variance."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.diagnose import Figures, Judge, LayerFacts
from layerscope.figures.latents import latent_figures
from layerscope.measure.pending import Pending
from layerscope.record.ends.ends import Data, Output
from layerscope.record.ends.further_outputs import OutputPair
from layerscope.record.graph.output_function import OutputFunction
from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import Program, batches, fit


class Autoencoder(nn.Module):
    """Gives its output, and mean and log-variance of what it draws."""

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(20, 8), nn.Linear(4, 20)

    def forward(self, x):
        mean, spread = self.encoder(x).chunk(2, dim=-1)
        return self.decoder(mean + (spread / 2).exp() * torch.randn_like(mean)), mean, spread


@pytest.mark.parametrize("places", [(), (5,)])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_sum_of_divergences_beside_a_mean_of_errors_is_told_of(reduction, places):
    def loss(model, x):
        output, mean, spread = model(x)
        divergence = -0.5 * torch.sum(1 + spread - mean.square() - spread.exp())
        return F.mse_loss(output, x, reduction=reduction) + divergence

    def run(_, watch):
        model, x = Autoencoder(), torch.randn(256, *places, 4) @ torch.randn(4, 20)
        fit(watch, model, torch.optim.SGD(model.parameters(), lr=1e-4), batches(x, steps=8), loss)

    rules = [finding.rule for finding in judged(Program("", run), mended=False)]
    assert ("posterior_collapse" in rules) is (reduction == "mean")


@pytest.mark.parametrize(
    ("pulled", "active", "told"), [(0.51, 0.0, True), (0.5, 0.0, False), (0.51, 0.1, False)]
)
def test_a_code_of_which_no_number_is_active_is_told_of_once_the_loss_is_known_for_long(
    pulled, active, told
):
    figures = Figures.empty((LayerFacts("0", "0", "Linear", order=0),), range(160))
    figures["loss"][:] = np.linspace(2, 1, 160)
    figures["latent_drawn"][::10], figures["latent_drawn"][0] = 0.1, pulled
    figures["latent_cut"][::10], figures["latent_active"][::10] = 0, active
    judge = Judge(figures.layers)
    judge.look(figures)
    found = [each for each in judge.findings if each.rule == "posterior_collapse"]
    assert [each.step for each in found] == [80] * told


@pytest.mark.parametrize(("spread", "active"), [(0.2, 0.5), (0.05, 0.0)])
def test_a_unit_is_active_whose_mean_varies(spread, active):
    mean = np.stack([np.linspace(-2 * spread, 2 * spread, 9), np.full(9, 3.0)], 1)
    rest = np.zeros((3, 9, 2))
    assert latent_figures([mean, *rest], None, ())["latent_active"] == active


def test_matrices_are_taken_before_pictures_that_stand_first():
    outputs = [torch.randn(shape, requires_grad=True) for shape in ((4, 3, 2), (4, 3, 2), (4, 5))]
    outputs.append(torch.randn(4, 5, requires_grad=True))
    pair = OutputPair()
    hooks = pair.watch(outputs)
    sum(each.square().sum() for each in outputs).backward()
    assert [tuple(each.get().shape) for each in pair.take()] == [(4, 5)] * 4
    assert len(hooks) == 2


FORMS = {
    "log-variance": lambda mean, v: mean.square() + v.exp() - v,
    "log-deviation": lambda mean, s: mean.square() + (2 * s).exp() - 2 * s,
    "deviation": lambda mean, d: mean.square() + d.square() - 2 * d.log(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_divergence_is_known_by_the_slopes_of_both(form):
    torch.manual_seed(0)
    mean, spread = torch.randn(16, 3, requires_grad=True), torch.rand(16, 3, requires_grad=True)
    slopes = torch.autograd.grad(3 * FORMS[form](mean, spread).sum(), [mean, spread])
    of_mean, of_spread = (slope.double().numpy() for slope in slopes)
    given = mean.detach().double().numpy(), of_mean, spread.detach().double().numpy(), of_spread
    assert latent_figures(given, None, ())["latent_drawn"] == pytest.approx(1, abs=1e-6)
    of_error = np.random.default_rng(0).normal(size=(16, 3)) * np.abs(of_mean).mean()
    drowned = given[0], of_mean + 3 * of_error, *given[2:]
    assert latent_figures(drowned, None, ())["latent_drawn"] < 0.5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("of_mean", "of_spread", "cut"), [(1, 0, 1), (0, 0, 2), (1, 1e-3, 0)])
def test_an_error_that_has_no_part_in_the_slopes_is_told_from_a_small_one(
    form, of_mean, of_spread, cut
):
    torch.manual_seed(0)
    mean, spread = torch.randn(32, 3, requires_grad=True), torch.rand(32, 3, requires_grad=True)
    error = (of_mean * mean + of_spread * spread * torch.randn(32, 3) - 1).square()
    loss = FORMS[form](mean, spread).sum() + error.sum()
    slopes = torch.autograd.grad(loss, [mean, spread])
    given = (mean.detach(), slopes[0], spread.detach(), slopes[1])
    assert latent_figures([each.double().numpy() for each in given], None, ())["latent_cut"] == cut


at_hand = Pending.at_hand
ERRORS = {
    "squared": (lambda v, x: (v - x).square().sum(), 0.5),
    "of logits": (lambda v, x: F.binary_cross_entropy_with_logits(v, x, reduction="sum"), 1.0),
    "of shares": (lambda p, x: F.binary_cross_entropy(p, x, reduction="sum"), 1.0),
}


@pytest.mark.parametrize("error", ERRORS)
def test_the_noise_that_both_terms_take_the_data_to_have_is_known(error):
    torch.manual_seed(0)
    of, noise = ERRORS[error]
    mean, spread = torch.randn(64, 3), torch.randn(64, 3)
    pair = mean, 5 * mean, spread, 5 * torch.expm1(spread) / 2
    x, values = torch.rand(64, 8), torch.randn(64, 8)
    output = (values.sigmoid() if error == "of shares" else values).requires_grad_()
    (slope,) = torch.autograd.grad(2 * of(output, x), output)
    varying = (x - x.mean(0)).double()
    if error != "squared":
        varying = varying / (x.mean(0) * (1 - x.mean(0))).sqrt()
    largest = torch.linalg.matrix_norm(varying, 2).square() / 64
    given = at_hand(output.detach()), at_hand(slope)
    seen = Output(given[0], given[1], 64, OutputFunction())
    figures = latent_figures([each.numpy() for each in pair], seen, [Data(at_hand(x), False)])
    assert figures["latent_noise"] == pytest.approx(5 / 2 * noise / float(largest), rel=1e-3)
    of_pixels = replace(seen, samples=8 * 64)  # variances of one pixel are not those of a picture
    assert "latent_noise" not in latent_figures(
        [each.numpy() for each in pair], of_pixels, [Data(at_hand(x), False)]
    )
    other = latent_figures([each.numpy() for each in pair], seen, [Data(at_hand(x + 1), False)])
    assert "latent_noise" not in other  # what it is compared with is something else
