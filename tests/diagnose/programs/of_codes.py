"""Variational autoencoders with a code for each place of a sample, whose terms are unlike sums."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, pictures, program


class Coded(nn.Module):
    """Gives what it makes of a drawn code, and the code's mean and log-variance, which are the
    halves of an axis of what the encoder gives.
    """

    def __init__(self, encoder, decoder, axis):
        super().__init__()
        self.encoder, self.decoder, self.axis = encoder, decoder, axis

    def forward(self, x):
        mean, log_var = self.encoder(x).chunk(2, self.axis)
        return self.decoder(mean + (log_var / 2).exp() * torch.randn_like(mean)), mean, log_var


def divergence(mean, log_var):
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var)


def fit_coded(watch, model, data, loss_of):
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with watch(model) as scope:
        for (x,) in data:
            optimizer.zero_grad()
            (loss := loss_of(x, *model(x))).backward()
            optimizer.step()
            scope.step(loss)


@program("posterior_collapse")
def a_divergence_of_all_steps_beside_a_mean_of_readings(mended, watch):
    basis = torch.randn(3, 12)
    x = torch.tanh(torch.randn(768, 10, 3) @ basis) + 0.05 * torch.randn(768, 10, 12)
    encoder = nn.Sequential(nn.Linear(12, 48), nn.SiLU(), nn.Linear(48, 8))
    decoder = nn.Sequential(nn.Linear(4, 48), nn.SiLU(), nn.Linear(48, 12))

    def loss(x, made, *code):
        if mended:
            return ((made - x).square().sum() / 0.2 + divergence(*code).sum()) / len(x)
        return F.mse_loss(made, x) + divergence(*code).sum()

    fit_coded(watch, Coded(encoder, decoder, -1), batches(x, steps=160), loss)


@program("posterior_collapse")
def a_map_of_codes_whose_divergence_is_summed(mended, watch):
    x, _ = pictures()
    encoder = nn.Sequential(nn.Conv2d(1, 16, 3, 2, 1), nn.GELU(), nn.Conv2d(16, 8, 3, 2, 1))
    decoder = nn.Sequential(
        nn.ConvTranspose2d(4, 16, 4, 2, 1), nn.GELU(), nn.ConvTranspose2d(16, 1, 4, 2, 1)
    )

    def loss(x, made, *code):
        of_code = divergence(*code).sum()
        if mended:
            return (20 * (made - x).square().sum() + of_code) / len(x)
        return F.mse_loss(made, x) + of_code / len(x)

    fit_coded(watch, Coded(encoder, decoder, 1), batches(x, steps=160), loss)


@program("posterior_collapse")
def each_step_pays_for_the_codes_of_all(mended, watch):
    basis = torch.randn(3, 16)
    x = torch.tanh(torch.randn(768, 6, 3) @ basis)
    encoder = nn.Sequential(nn.Linear(16, 48), nn.Tanh(), nn.Linear(48, 10))
    decoder = nn.Sequential(nn.Linear(5, 48), nn.Tanh(), nn.Linear(48, 16))

    def loss(x, made, *code):
        error = 5 * (made - x).square().sum(-1)
        of_code = divergence(*code)
        return (error + (of_code.sum(-1) if mended else of_code.sum())).mean()

    fit_coded(watch, Coded(encoder, decoder, -1), batches(x, steps=160), loss)
