"""Faults of losses that their graph shows: what is compared with what, and along which axis."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, program
from tests.usual_step import descend


def views(watch, loss_of):
    """loss_of(z, partner) of two noisy views of each sample, and where each one's partner is."""
    x, _ = toys.blobs(classes=16, features=16)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 16))

    def loss(model, x):
        noisy = torch.cat([x, x]) + 0.3 * torch.randn(2 * len(x), 16)
        partner = torch.arange(2 * len(x)).roll(len(x))
        return loss_of(F.normalize(model(noisy), dim=1), partner)

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, steps=60), loss)


@program("self_as_negative")
def a_diagonal_that_is_not_masked(mended, watch):
    def loss(z, partner):
        similarity = z @ z.T / 0.1
        if mended:
            similarity = similarity.masked_fill(torch.eye(len(z), dtype=torch.bool), -torch.inf)
        return F.cross_entropy(similarity, partner)

    views(watch, loss)


@program("self_as_negative")
def log_probabilities_of_all_pairs(mended, watch):
    def loss(z, partner):
        similarity = 5 * torch.mm(z, z.t())
        if mended:
            similarity = similarity - 1e9 * torch.eye(len(z))
        return -similarity.log_softmax(1)[torch.arange(len(z)), partner].mean()

    views(watch, loss)


def partners(watch, steps, loss_of):
    """loss_of(one, other) of two networks' unit embeddings of two views [samples, width]."""
    x, _ = toys.blobs(classes=16, features=16)
    nets = [nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)) for _ in range(2)]
    model = nn.ModuleList(nets)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model) as scope:
        for (batch,) in batches(x, steps=steps, size=64):
            views = (batch, batch + 0.3 * torch.randn_like(batch))
            loss = loss_of(
                *(F.normalize(net(v), dim=1) for net, v in zip(nets, views, strict=True))
            )
            descend(scope, optimizer, loss)


@program("labels_without_signal")
def views_that_two_loaders_have_shuffled(mended, watch):
    def loss(one, other):
        other = other if mended else other[torch.randperm(64)]
        similarity, own = one @ other.T / 0.1, torch.arange(64)
        return (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.T, own)) / 2

    partners(watch, 220, loss)


@program("labels_without_signal")
def partners_drawn_by_chance(mended, watch):
    def loss(one, other):
        own = torch.arange(64) if mended else torch.randint(64, (64,))
        return F.nll_loss((8 * torch.mm(one, other.t())).log_softmax(1), own)

    partners(watch, 220, loss)


class ActorAndCritic(nn.Module):
    """Logits of three actions, and the value of the state."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 32), nn.Tanh())
        self.actor, self.critic = nn.Linear(32, 3), nn.Linear(32, 1)

    def forward(self, states):
        hidden = self.body(states)
        return self.actor(hidden), self.critic(hidden)


def act(watch, loss_of):
    """loss_of(log-probabilities of the actions taken, values, gains), each [samples]."""
    model = ActorAndCritic()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model) as scope:
        for _ in range(100):
            states = torch.randn(128, 4)
            logits, values = model(states)
            policy = torch.distributions.Categorical(logits=logits)
            actions = policy.sample()
            gains = states[:, 0] * (actions - 1) + states[:, 1]
            descend(scope, optimizer, loss_of(policy.log_prob(actions), values[:, 0], gains))


@program("target_gradient")
def an_advantage_with_a_gradient(mended, watch):
    def loss(log_probability, values, gains):
        advantage = gains - values
        error = advantage.square().mean()
        return (
            0.5 * error - (log_probability * (advantage.detach() if mended else advantage)).mean()
        )

    act(watch, loss)


@program("target_gradient")
def a_standard_advantage_with_a_gradient(mended, watch):
    def loss(log_probability, values, gains):
        advantage = gains - (values.detach() if mended else values)
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        return F.smooth_l1_loss(values, gains) - (advantage * log_probability).mean()

    act(watch, loss)


def student(watch, loss_of):
    """loss_of(logits of a student, logits of a trained teacher)."""
    x, y = toys.blobs(classes=4, features=10)
    teacher = nn.Linear(10, 4)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    of_teacher = torch.optim.Adam(teacher.parameters(), lr=0.05)
    for batch, labels in batches(x, y, steps=50):
        of_teacher.zero_grad()
        F.cross_entropy(teacher(batch), labels).backward()
        of_teacher.step()

    def loss(model, x):
        with torch.no_grad():
            taught = teacher(x)
        return loss_of(model(x), taught)

    fit(watch, model, torch.optim.Adam(model.parameters(), lr=3e-3), batches(x), loss)


@program("softmax_over_batch")
def a_divergence_along_the_samples(mended, watch):
    axis = 1 if mended else 0

    def loss(logits, taught):
        taught = (taught / 3).softmax(axis)
        return 9 * F.kl_div((logits / 3).log_softmax(axis), taught, reduction="batchmean")

    student(watch, loss)


@program("softmax_over_batch")
def an_error_of_shares_of_the_batch(mended, watch):
    axis = -1 if mended else -2
    student(watch, lambda logits, taught: F.mse_loss(logits.softmax(axis), taught.softmax(axis)))


@program("loss_broadcast")
def ratios_of_a_policy_times_a_column_of_advantages(mended, watch):
    model = ActorAndCritic()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    with watch(model) as scope:
        for _ in range(30):
            states = torch.randn(128, 4)
            with torch.no_grad():
                logits, values = model(states)
            actions = torch.distributions.Categorical(logits=logits).sample()
            before = logits.log_softmax(1).gather(1, actions[:, None])[:, 0]
            gains = (states[:, 0] * (actions - 1))[:, None]
            advantage = gains - values
            advantage = (advantage - advantage.mean()) / advantage.std()
            for _ in range(3):
                logits, values = model(states)
                policy = torch.distributions.Categorical(logits=logits)
                ratio = (policy.log_prob(actions) - before).exp()
                ratio = ratio[:, None] if mended else ratio
                clipped = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
                loss = F.mse_loss(values, gains) - clipped.mean()
                descend(scope, optimizer, loss)


@program("loss_broadcast")
def a_density_of_columns_at_a_row_of_targets(mended, watch):
    x, y = toys.surface()

    def loss(model, x, y):
        mean, spread = model(x).chunk(2, 1)
        at = y if mended else y[:, 0]
        return -torch.distributions.Laplace(mean, F.softplus(spread) + 0.01).log_prob(at).mean()

    model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2))
    fit(watch, model, torch.optim.Adam(model.parameters(), lr=3e-3), batches(x, y), loss)


def overlap(shares, masks):
    """1 - Dice's coefficient of each picture, the mean."""
    both = (shares * masks).sum((1, 2, 3))
    return (1 - (2 * both + 1) / (shares.sum((1, 2, 3)) + masks.sum((1, 2, 3)) + 1)).mean()


@program("loss_after_activation")
def a_dice_loss_of_logits_behind_a_sigmoid(mended, watch):
    x, _ = toys.pictures()
    masks = (x > 0.5).float()
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1))
    if not mended:
        model.append(nn.Sigmoid())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    data = batches(x, masks, steps=60)
    fit(watch, model, optimizer, data, lambda m, x, y: overlap(m(x).sigmoid(), y))


def focal(scores, labels):
    """Lin et al. 2017, section 3.2: the surer, the less it counts."""
    shares = scores.softmax(1)[torch.arange(len(labels)), labels]
    return -((1 - shares) ** 2 * shares.log()).mean()


@program("loss_after_activation")
def a_focal_loss_of_what_is_a_softmax_already(mended, watch):
    x, y = toys.blobs()
    layers = [nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4)]
    model = nn.Sequential(*layers, *([] if mended else [nn.Softmax(dim=1)]))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(x, y, steps=60), lambda m, x, y: focal(m(x), y))
