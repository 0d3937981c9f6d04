"""Further healthy programs that look suspicious: of each kind that was warned of at first sight."""

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, practice


def perceptron(*widths):
    layers = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@practice
def classes_that_come_one_after_another(watch):
    x, y = toys.blobs(classes=6, features=12)
    model = perceptron(12, 64, 64, 6)

    def lessons():
        for classes, steps in ((2, 60), (4, 60), (6, 150)):
            chosen = y < classes
            yield from batches(x[chosen], y[chosen], steps=steps)

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, lessons(), of_output(F.cross_entropy))


@practice
def words_with_negative_samples(watch):
    words = 200
    centre = torch.randint(words, (4000,))
    context = (centre + torch.randint(1, 4, (4000,))) % words

    class SkipGram(nn.Module):
        def __init__(self):
            super().__init__()
            self.centre = nn.Embedding(words, 16, sparse=True)
            self.context = nn.Embedding(words, 16, sparse=True)
            nn.init.uniform_(self.centre.weight, -0.5 / 16, 0.5 / 16)
            nn.init.zeros_(self.context.weight)

        def forward(self, centre, context):
            c = self.centre(centre)
            drawn = self.context(torch.randint(words, (len(centre), 5)))
            right = F.logsigmoid((c * self.context(context)).sum(1))
            return -(right + F.logsigmoid(-(drawn @ c[..., None])[..., 0]).sum(1)).mean()

    model = SkipGram()
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.02)
    fit(watch, model, optimizer, batches(centre, context, steps=300, size=128), lambda m, *b: m(*b))


@practice
def tasks_whose_weights_are_learned(watch):
    x, y = toys.blobs(classes=3, features=8)
    product = x[:, :1] * x[:, 1:2]
    product = (product - product.mean()) / product.std()

    class Tasks(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = perceptron(8, 64, 64)
            self.of_class, self.of_number = nn.Linear(64, 3), nn.Linear(64, 1)
            self.log_variance = nn.Parameter(torch.zeros(2))

        def forward(self, x):
            body = F.gelu(self.body(x))
            return self.of_class(body), self.of_number(body)

    def loss(m, x, y, z):
        logits, number = m(x)
        losses = torch.stack([F.cross_entropy(logits, y), F.mse_loss(number, z)])
        return (losses * (-m.log_variance).exp() + m.log_variance).sum()

    model = Tasks()
    fit(
        watch,
        model,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        batches(x, y, product, steps=200),
        loss,
    )


@practice
def a_queue_of_random_keys(watch):
    x, _ = toys.blobs(classes=6, features=16)
    model = perceptron(16, 64, 32)
    slow = copy.deepcopy(model).requires_grad_(False)
    queue = F.normalize(torch.randn(256, 32), dim=1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    with watch(model) as scope:
        for (batch,) in batches(x, steps=200, size=64):
            one, two = (batch + 0.3 * torch.randn_like(batch) for _ in range(2))
            query = F.normalize(model(one), dim=1)
            with torch.no_grad():
                for kept, new in zip(slow.parameters(), model.parameters(), strict=True):
                    kept.lerp_(new, 0.01)
                key = F.normalize(slow(two), dim=1)
            logits = torch.cat([(query * key).sum(1, keepdim=True), query @ queue.T], 1) / 0.07
            loss = F.cross_entropy(logits, torch.zeros(64, dtype=torch.long))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            queue = torch.cat([key, queue])[:256]
            scope.step(loss)


@practice
def a_code_book_that_encoders_run_away_from(watch):
    x, _ = toys.blobs(classes=8, features=16)

    class Quantised(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = perceptron(16, 32, 8), perceptron(8, 32, 16)
            self.codes = nn.Embedding(16, 8)
            nn.init.uniform_(self.codes.weight, -1, 1)

        def forward(self, x):
            z = self.encoder(x)
            q = self.codes(torch.cdist(z, self.codes.weight).argmin(1))
            drawn = F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
            return self.decoder(z + (q - z).detach()), drawn

    def loss(m, x):
        decoded, drawn = m(x)
        return F.mse_loss(decoded, x) + drawn

    model = Quantised()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, steps=200, size=64), loss)


@practice
def couplings_of_one_unit(watch):
    angle = 6.28 * torch.rand(2048)
    x = torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(2048, 2)

    class Flow(nn.Module):
        def __init__(self):
            super().__init__()
            self.nets = nn.ModuleList(
                nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2)) for _ in range(4)
            )

        def forward(self, x):
            log_det = 0
            for net in self.nets:
                kept, changed = x[:, 1:], x[:, :1]
                scale, shift = net(kept).chunk(2, 1)
                scale = torch.tanh(scale)
                x = torch.cat([kept, changed * scale.exp() + shift], 1)
                log_det = log_det + scale.sum(1)
            return x, log_det

    def loss(m, x):
        z, log_det = m(x)
        return (0.5 * z.square().sum(1) + 1.84 - log_det).mean()

    model = Flow()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, steps=200, size=128), loss)


@practice
def rewards_of_zero_and_one(watch):
    states = torch.randn(1024, 8)
    best = states[:, :4].argmax(1)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))

    def loss(m, x, best):
        policy = torch.distributions.Categorical(logits=m(x))
        actions = policy.sample()
        return -(policy.log_prob(actions) * (actions == best)).mean()

    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(states, best, steps=150, size=64), loss)


@practice
def amounts_that_are_mostly_nothing(watch):
    """Logarithms of sums where there was one, columns cut at their ends, counts, and kinds."""
    count = 1200
    spent = torch.where(torch.rand(count) < 0.6, torch.exp(7 + torch.randn(count)), 0.0)
    visits = torch.poisson(torch.full((count,), 1.5))
    age = (45 + 20 * torch.randn(count)).round().clamp(18, 75)
    kind = F.one_hot(torch.randint(3, (count,)), 3).float()
    table = torch.cat([torch.stack([torch.log1p(spent), visits, age], 1), kind], 1)
    y = (torch.log1p(spent) + 0.1 * age + torch.randn(count) > 9).long()
    x = (table - table.mean(0)) / table.std(0)
    model = perceptron(6, 48, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, steps=200, size=64), of_output(F.cross_entropy))
