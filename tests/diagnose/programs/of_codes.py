"""Variational autoencoders whose terms are unlike sums, or whose code the error does not reach."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, program


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
    x, _ = toys.pictures()
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


class DecodesTheMean(Coded):
    def forward(self, x):
        mean, log_var = self.encoder(x).chunk(2, self.axis)
        return self.decoder(mean), mean, log_var


def of_likelihood(x, made, mean, log_var):
    return (20 * (made - x).square().sum() + divergence(mean, log_var).sum()) / len(x)


@program("posterior_collapse")
def pictures_of_which_the_decoder_gets_the_mean(mended, watch):
    x, _ = toys.pictures()
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ELU(), nn.Linear(64, 12))
    decoder = nn.Sequential(
        nn.Linear(6, 64), nn.ELU(), nn.Linear(64, 64), nn.Unflatten(1, (1, 8, 8))
    )
    model = (Coded if mended else DecodesTheMean)(encoder, decoder, 1)
    fit_coded(watch, model, batches(x, steps=160), of_likelihood)


class Deviating(nn.Module):
    """Its spread is a log-deviation, and its numbers are drawn by a distribution."""

    def __init__(self, mended):
        super().__init__()
        self.mended = mended
        self.read = nn.GRU(1, 24, batch_first=True)
        self.mean, self.spread = nn.Linear(24, 3), nn.Linear(24, 3)
        self.write = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 12))

    def forward(self, x):
        state = self.read(x)[0][:, -1]
        mean, spread = self.mean(state), self.spread(state)
        code = torch.distributions.Normal(mean, spread.exp())
        drawn = code.rsample() if self.mended else code.sample()
        return self.write(drawn)[..., None], mean, spread


def of_deviations(x, made, mean, spread):
    of_code = 0.5 * (mean.square() + (2 * spread).exp() - 1) - spread
    return (10 * (made - x).square().sum() + of_code.sum()) / len(x)


@program("posterior_collapse")
def waves_whose_code_is_sampled_without_a_gradient(mended, watch):
    data = batches(toys.waves()[0], steps=160)
    fit_coded(watch, Deviating(mended), data, of_deviations)


class NoNoise(Coded):
    """As where the noise is multiplied by `self.noise`, which somebody has set to 0."""

    def forward(self, x):
        mean, log_var = self.encoder(x).chunk(2, self.axis)
        noise = 0.0 * torch.randn_like(mean)
        return self.decoder(mean + (log_var / 2).exp() * noise), mean, log_var


@program("posterior_collapse")
def readings_whose_noise_is_nought(mended, watch):
    x = torch.tanh(torch.randn(768, 3) @ torch.randn(3, 24)) + 0.05 * torch.randn(768, 24)
    encoder = nn.Sequential(nn.Linear(24, 48), nn.LayerNorm(48), nn.SiLU(), nn.Linear(48, 10))
    decoder = nn.Sequential(nn.Linear(5, 48), nn.SiLU(), nn.Linear(48, 24))
    model = (Coded if mended else NoNoise)(encoder, decoder, -1)
    fit_coded(watch, model, batches(x, steps=160), of_likelihood)


class Drawing(nn.Module):
    """Pictures [samples, 1, 8, 8] through maps, with one code for each picture."""

    def __init__(self, act):
        super().__init__()
        self.act, self.read = act, nn.Conv2d(1, 12, 4, 2, 1)
        self.mean, self.log_var = nn.Linear(192, 6), nn.Linear(192, 6)
        self.write, self.draw = nn.Linear(6, 192), nn.ConvTranspose2d(12, 1, 4, 2, 1)

    def forward(self, x):
        read = self.act(self.read(x)).flatten(1)
        mean, log_var = self.mean(read), self.log_var(read)
        code = mean + (log_var / 2).exp() * torch.randn_like(mean)
        made = self.draw(self.act(self.write(code)).view(-1, 12, 4, 4))
        return made.sigmoid(), mean, log_var


@program("posterior_collapse", follows=("idle", "collapsed", "loss_not_falling"))
def pictures_whose_error_is_a_mean_over_pixels(mended, watch):
    x, _ = toys.pictures()

    def loss(x, made, *code):
        error = (made - x).square().flatten(1)
        error = 30 * error.sum(1) if mended else 8 * error.mean(1)
        return (error + divergence(*code).sum(1)).mean()

    fit_coded(watch, Drawing(F.relu), batches(x, steps=260), loss)


@program("posterior_collapse", follows=("idle", "collapsed", "loss_not_falling"))
def pictures_whose_divergence_weighs_twenty_times_as_much(mended, watch):
    x, _ = toys.pictures()
    x = (x > 0.5).float()

    def loss(x, made, *code):
        error = F.binary_cross_entropy(made, x, reduction="sum") / len(x)
        return error + (0.5 if mended else 20) * divergence(*code).sum(1).mean()

    fit_coded(watch, Drawing(F.elu), batches(x, steps=260), loss)
