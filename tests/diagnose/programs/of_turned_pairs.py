"""Programs whose pairs are drawn apart, or whose policy gets nothing but its entropy."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_advantages import Acts
from tests.diagnose.programs.of_starts import stack
from tests.diagnose.programs.program import batches, fit, practice, program
from tests.usual_step import descend


def views(x):
    return x + 0.2 * torch.randn_like(x), x + 0.2 * torch.randn_like(x)


@program("temperature", also=("outputs_alike",))
def pictures_that_are_least_like_their_other_view(mended, watch):
    x, _ = toys.pictures()
    model = nn.Sequential(nn.Flatten(), stack(nn.ReLU, 64, 48, 16))

    def loss(model, x):
        one, other = (F.normalize(model(each), dim=1) for each in views(x))
        alike = one @ other.T / 0.2
        return F.cross_entropy(alike if mended else -alike, torch.arange(len(x)))

    fit(watch, model, torch.optim.Adam(model.parameters(), lr=2e-3), batches(x), loss)


@program("temperature")
def texts_by_one_minus_their_cosines(mended, watch):
    x, _ = toys.phrases(classes=12)

    class Pairs(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.to_left = nn.EmbeddingBag(60, 32), nn.Linear(32, 16)
            self.to_right, self.scale = nn.Linear(32, 16), nn.Parameter(torch.tensor(2.0))

        def forward(self, left, right):
            one = F.normalize(self.to_left(self.words(left)), dim=1)
            other = F.normalize(self.to_right(self.words(right)), dim=1)
            return self.scale.exp() * (one @ other.T)

    def loss(model, x):
        products, own = model(x[:, :4], x[:, 4:]), torch.arange(len(x))
        products = products if mended else 1 - products
        return (F.cross_entropy(products, own) + F.cross_entropy(products.T, own)) / 2

    model = Pairs()
    fit(watch, model, torch.optim.Adam(model.parameters(), lr=3e-3), batches(x), loss)


@practice
def kinds_by_minus_the_distance_to_their_middle(watch):
    x, y = toys.blobs(classes=5, features=12)
    model = stack(nn.ReLU, 12, 32, 8)

    def loss(model, x, y):
        seen = model(x)
        middles = torch.stack([seen[y == each].mean(0) for each in range(5)])
        return F.cross_entropy(-torch.cdist(seen, middles), y)

    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    fit(watch, model, optimizer, batches(x, y, size=64, steps=200), loss)


def bandit(watch, mended, model, log_probabilities, steps=150):
    """Which of two actions is right goes by the state; the value is the baseline."""
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    with watch(model) as scope:
        for _ in range(steps):
            states = torch.randn(64, 6)
            logits, values = model(states)
            policy = torch.distributions.Categorical(logits=logits)
            actions = policy.sample()
            rewards = (actions == (states[:, 0] > 0).long()).float()
            logs = log_probabilities(policy, actions, mended)
            gains = (rewards - values.detach()) * logs
            loss = F.mse_loss(values, rewards) - gains.mean() - 0.02 * policy.entropy().mean()
            descend(scope, optimizer, loss)


@program("penalty_without_gradient")
def chances_of_actions_as_they_were_stored(mended, watch):
    def logs(policy, actions, mended):
        found = policy.log_prob(actions)
        return found if mended else found.detach()

    bandit(watch, mended, Acts(), logs)


@program("penalty_without_gradient")
def chances_of_actions_under_no_grad(mended, watch):
    def logs(policy, actions, mended):
        with torch.set_grad_enabled(mended):
            return policy.logits.gather(1, actions[:, None])[:, 0]

    bandit(watch, mended, Acts(width=32, shared=False), logs, steps=200)
