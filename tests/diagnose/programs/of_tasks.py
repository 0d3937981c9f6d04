"""Tasks that follow one another, and code books: losses that rise without harm, and with it."""

import copy

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, practice, program
from tests.usual_step import descend


def sine_network():
    return nn.Sequential(
        *(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    )


@program("loss_diverged", first=False, also=("update_too_large",))
def a_sine_of_another_height_every_ten_steps(mended, watch):
    """Reptile: each task begins from the weights of before the last, and a tenth of its way."""
    model = sine_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02 if mended else 2.0)
    with watch(model) as scope:
        for task in range(25):
            before = copy.deepcopy(model.state_dict())
            height = (0.6, 0.6, 2.0, 1.0, 3.0)[task % 5]
            for _ in range(10):
                x = torch.rand(32, 1) * 4 - 2
                descend(scope, optimizer, F.mse_loss(model(x), height * torch.sin(x + task)))
            after = model.state_dict()
            model.load_state_dict({n: before[n] + 0.1 * (after[n] - before[n]) for n in before})


@program("loss_diverged", first=False, also=("update_too_large",))
def prices_of_one_country_after_another(mended, watch):
    """A network that is trained on in each country, whose prices are of another size."""
    x = torch.randn(512, 8)
    rule = torch.randn(8, 1) / 3
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.003 if mended else 0.5)
    with watch(model) as scope:
        for step in range(240):
            level = (0.5, 2.0, 10.0, 0.5)[step // 60]
            rows = torch.randint(512, (64,))
            loss = F.mse_loss(model(x[rows]), level * torch.tanh(x[rows] @ rule))
            descend(scope, optimizer, loss)


@program("loss_diverged", first=False, also=("update_too_large", "target_scale"))
def a_value_of_its_own_that_nothing_holds(mended, watch):
    """Its targets grow with its outputs: nobody brought larger ones."""
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    with watch(model) as scope:
        for _ in range(300):
            x = torch.randn(64, 6)
            after = 2.0 * x if not mended else x.roll(1, 0)  # states that go away from the middle
            with torch.no_grad():
                target = x[:, :1].abs() + (0.5 if mended else 1.5) * model(after)
            descend(scope, optimizer, F.mse_loss(model(x), target))


class CodeBook(nn.Module):
    """An autoencoder whose latents are rows of a table (van den Oord et al. 2017, VQ-VAE)."""

    def __init__(self, inputs, codes=32, width=8):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, 128), nn.ReLU(), nn.Linear(128, 64))
        self.decoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, inputs))
        self.codes = nn.Embedding(codes, width)
        nn.init.uniform_(self.codes.weight, -1 / codes, 1 / codes)

    def forward(self, x):
        z = self.encoder(x).view(-1, self.codes.embedding_dim)
        chosen = self.codes(torch.cdist(z, self.codes.weight).argmin(1))
        beside = F.mse_loss(chosen, z.detach()) + 0.25 * F.mse_loss(z, chosen.detach())
        return self.decoder((z + (chosen - z).detach()).view(len(x), -1)), beside


def fit_code_book(watch, rate, steps=300):
    x = toys.pictures()[0].flatten(1)
    model = CodeBook(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    with watch(model) as scope:
        for _ in range(steps):
            batch = x[torch.randint(len(x), (64,))]
            output, beside = model(batch)
            descend(scope, optimizer, F.mse_loss(output, batch) + beside)


@practice
def a_code_book_whose_codes_are_found_late(watch):
    fit_code_book(watch, 2e-3)


@program("loss_diverged", first=False, also=("update_too_large", "collapsed"))
def a_code_book_whose_encoder_runs_away(mended, watch):
    fit_code_book(watch, 2e-3 if mended else 0.5)


def of_times(model, x, at):
    """Minus the partial log-likelihood of who comes when (Cox 1972)."""
    scores = model(x[at.argsort(descending=True)])[:, 0]
    return (scores.logcumsumexp(0) - scores).mean()


@program("loss_not_falling")
def times_by_steps_that_are_too_small(mended, watch):
    x = torch.randn(2000, 8)
    at = torch.distributions.Exponential((x @ torch.randn(8) / 4).exp()).sample()
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3 if mended else 2e-4)
    fit(watch, model, optimizer, batches(x, at, steps=400, size=128), of_times)


@program("loss_not_falling")
def a_loss_of_ones_own_by_steps_that_are_too_small(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3 if mended else 2e-5)
    data = batches(x, y, steps=400, size=128)
    fit(watch, model, optimizer, data, of_output(lambda z, y: 2 + (z - y).cosh().log().mean()))
