"""Healthy nets of kinds that were once warned of: each trains under `watch`, and none is now."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import layerscope

pytestmark = pytest.mark.slow

CLASSES, FEATURES = 5, 20


def update(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def samples(count=64):
    x = torch.randn(count, FEATURES)
    return x, x[:, :CLASSES].argmax(1)


def classifier():
    return nn.Sequential(
        *(nn.Linear(FEATURES, 32), nn.ReLU()),
        *(nn.Linear(32, 32), nn.ReLU()),
        nn.Linear(32, CLASSES),
    )


def gan():
    """Both networks of a game, each with an optimizer, as in PyTorch's DCGAN example."""
    maker = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    judge = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    of_maker = torch.optim.Adam(maker.parameters(), 1e-3, betas=(0.5, 0.999))
    of_judge = torch.optim.Adam(judge.parameters(), 1e-3, betas=(0.5, 0.999))

    def step():
        angle = torch.rand(64) * 2 * math.pi
        true, false = torch.stack([angle.cos(), angle.sin()], 1), maker(torch.randn(64, 8))
        of_judge.zero_grad()
        yes, no = torch.ones(64, 1), torch.zeros(64, 1)
        F.binary_cross_entropy_with_logits(judge(true), yes).backward()
        F.binary_cross_entropy_with_logits(judge(false.detach()), no).backward()
        of_judge.step()
        return update(of_maker, F.binary_cross_entropy_with_logits(judge(false), yes))

    return maker, judge, step


def generator():
    maker, _, step = gan()
    return maker, step


def discriminator():
    _, judge, step = gan()
    return judge, step


def both_players():
    maker, judge, step = gan()
    return nn.ModuleDict({"maker": maker, "judge": judge}), step


def new_head_on_a_backbone_that_keeps_its_gradients():
    """Only the head has an optimizer, whose zero_grad leaves the backbone's gradients alone."""
    backbone = nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU())
    head = nn.Linear(32, CLASSES)
    network = nn.ModuleDict({"backbone": backbone, "head": head})
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(10):
        x, y = samples()
        update(optimizer, F.cross_entropy(head(backbone(x)), y))
    backbone.requires_grad_(False)
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)

    def step():
        x, y = samples()
        return update(optimizer, F.cross_entropy(head(backbone(x)), y))

    return network, step


class Adapted(nn.Module):
    """LoRA (Hu et al. 2021): a frozen linear layer, and a way of low rank that starts at zero."""

    def __init__(self, base):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Linear(base.in_features, 4, bias=False)
        self.up = nn.Linear(4, base.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x):
        return self.base(x) + 2 * self.up(self.down(x))


def adapter_that_starts_at_zero():
    network = classifier()
    for place in (0, 2):
        network[place] = Adapted(network[place])
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, 3e-3)

    def step():
        x, y = samples()
        return update(optimizer, F.cross_entropy(network(x), y))

    return network, step


class Branch(nn.Module):
    """A residual branch under LayerScale (Touvron et al. 2021)."""

    def __init__(self, width=32):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))
        self.scale = nn.Linear(width, width, bias=False)
        nn.init.eye_(self.scale.weight)
        with torch.no_grad():
            self.scale.weight *= 1e-4

    def forward(self, x):
        return x + self.scale(self.inner(self.norm(x)))


def residual_branches_of_little_weight():
    network = nn.Sequential(nn.Linear(FEATURES, 32), Branch(), Branch(), nn.Linear(32, CLASSES))
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)

    def step():
        x, y = samples()
        return update(optimizer, F.cross_entropy(network(x), y))

    return network, step


class TwoHeads(nn.Module):
    """A policy that starts near uniform, and a value, each a network of its own."""

    def __init__(self):
        super().__init__()

        def head(outputs):
            return nn.Sequential(
                *(nn.Linear(4, 32), nn.Tanh()),
                *(nn.Linear(32, 32), nn.Tanh()),
                nn.Linear(32, outputs),
            )

        self.policy, self.value = head(2), head(1)
        nn.init.orthogonal_(self.policy[4].weight, 0.01)

    def forward(self, x):
        return self.policy(x), self.value(x).squeeze(-1)


def actor_and_critic():
    network = TwoHeads()
    optimizer = torch.optim.Adam(network.parameters(), 3e-4)

    def step():
        x = torch.randn(64, 4)
        logits, value = network(x)
        policy = torch.distributions.Categorical(logits=logits)
        action = policy.sample()
        reward = 20 * (action == (x[:, 0] > 0)) + 5 * torch.randn(64)
        advantage = (reward - value).detach()
        advantage = (advantage - advantage.mean()) / advantage.std()
        loss = 0.5 * F.mse_loss(value, reward) - (policy.log_prob(action) * advantage).mean()
        return update(optimizer, loss)

    return network, step


def agent(shape):
    """An episode a step, by a policy that is asked for one state at a time (Williams 1992), as in
    PyTorch's REINFORCE and actor-critic examples.
    """
    network = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2), nn.Softmax(dim=-1))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)

    def step():
        returns, chances = [], []
        for _ in range(int(torch.randint(8, 16, ()))):
            state = torch.randn(4)
            policy = torch.distributions.Categorical(network(state.reshape(shape)))
            action = policy.sample()
            returns.append(float((action == (state[0] > 0)).all()))
            chances.append(policy.log_prob(action).sum())
        returns = torch.tensor(returns).flip(0).cumsum(0).flip(0)
        advantage = (returns - returns.mean()) / (returns.std() + 1e-6)
        return update(optimizer, -(torch.stack(chances) * advantage).sum())

    return network, step


def agent_of_one_state():
    return agent((4,))


def agent_of_batches_of_one():
    return agent((1, 4))


class SideBranch(nn.Module):
    """A forecaster whose side branch its user does not feed."""

    def __init__(self):
        super().__init__()
        self.side = nn.Sequential(nn.Linear(3, 16), nn.ELU(), nn.Linear(16, 32), nn.Sigmoid())
        self.main = nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.head = nn.Linear(32, CLASSES)

    def forward(self, x):
        gate = self.side(torch.zeros(len(x), 3))
        return self.head(gate * self.main(x))


def side_branch_of_constant_input():
    network = SideBranch()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)

    def step():
        x, y = samples()
        return update(optimizer, F.cross_entropy(network(x), y))

    return network, step


def task_that_is_solved_already():
    network = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid())
    optimizer = torch.optim.SGD(network.parameters(), 1.0, 0.9)
    x = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    return network, lambda: update(optimizer, F.mse_loss(network(x), y))


def positive_and_negative_pairs():
    """Word vectors: one output whose targets are all 1, and one whose are all 0."""

    class Pairs(nn.Module):
        def __init__(self):
            super().__init__()
            self.word, self.context = nn.Embedding(100, 16), nn.Embedding(100, 16)

        def forward(self, word, context, other):
            word = self.word(word)
            return (word * self.context(context)).sum(-1), (word * self.context(other)).sum(-1)

    network = Pairs()
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)

    def step():
        word, other = torch.randint(100, (2, 128))
        true, false = network(word, word // 10 * 10 + torch.randint(10, (128,)), other)
        return update(optimizer, -(F.logsigmoid(true) + F.logsigmoid(-false)).mean())

    return network, step


class Experts(nn.Module):
    """A mixture whose experts are bare 3-D parameters, beside a residual stream."""

    def __init__(self):
        super().__init__()
        self.stem, self.gate, self.out = nn.Linear(FEATURES, 32), nn.Linear(32, 4), nn.Linear(32, 5)
        self.up = nn.Parameter(torch.randn(4, 32, 64) / 32**0.5)
        self.down = nn.Parameter(torch.randn(4, 64, 32) / 64**0.5)

    def forward(self, x):
        h = self.stem(x)
        shares, chosen = self.gate(h).softmax(-1).topk(2)
        weights = torch.zeros(len(x), 4).scatter(1, chosen, shares)
        inner = F.gelu(torch.einsum("bd,edh->beh", h, self.up))
        of_experts = torch.einsum("beh,ehd->bed", inner, self.down)
        return self.out(h + (weights[:, :, None] * of_experts).sum(1))


def mixture_of_experts():
    network = Experts()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)

    def step():
        x, y = samples()
        return update(optimizer, F.cross_entropy(network(x), y))

    return network, step


class Attending(nn.Module):
    """A graph attention layer (Velickovic et al. 2018) with parameters of its own, by hand."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.own, self.other = (nn.Parameter(torch.empty(outputs, 1)) for _ in range(2))
        for parameter in self.parameters():
            nn.init.xavier_uniform_(parameter)
        self.act, self.drop = nn.LeakyReLU(0.2), nn.Dropout(0.1)

    def forward(self, x, edges):
        h = x @ self.weight
        scores = self.act(h @ self.own + (h @ self.other).T)
        return self.drop(scores.masked_fill(~edges, -1e9).softmax(1)) @ h


class GraphAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Attending(16, 16), Attending(16, 4)

    def forward(self, x, edges):
        return self.second(F.elu(self.first(x, edges)), edges)


def graph_attention():
    network = GraphAttention()
    optimizer = torch.optim.Adam(network.parameters(), 5e-3, weight_decay=5e-4)
    y = torch.arange(40) % 4
    x = 0.5 * torch.randn(40, 16) + 1.5 * torch.eye(16)[y]
    edges = (torch.rand(40, 40) < 0.1) | torch.eye(40, dtype=torch.bool)
    return network, lambda: update(optimizer, F.cross_entropy(network(x, edges), y))


def raw_pixels_before_a_batch_normalisation():
    network = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(8 * 16, CLASSES)),
    )
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)

    def step():
        y = torch.randint(CLASSES, (32,))
        x = 255 * torch.rand(32, 1, 6, 6)
        x[torch.arange(32), 0, y] *= 0.3
        return update(optimizer, F.cross_entropy(network(x), y))

    return network, step


def solved_exclusive_or():
    network = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid())
    optimizer = torch.optim.Adam(network.parameters(), 0.1)
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    return network, lambda: update(optimizer, F.binary_cross_entropy(network(x), y))


class Constrained(nn.Module):
    """Functions that only transform parameters, and an embedding that nobody uses."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Embedding(40, 16)
        self.hidden, self.out = nn.Linear(1, 32), nn.Linear(32, 1)
        self.scale, self.gate = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(1))
        self.positive, self.share = nn.Softplus(), nn.Sigmoid()

    def forward(self, x):
        std = self.positive(self.scale).prod() + 1e-3
        return self.out(self.share(self.gate) * torch.tanh(self.hidden(x))), std


def functions_of_parameters_and_an_unused_embedding():
    network = Constrained()
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)

    def step():
        x = torch.randn(64, 1)
        mean, std = network(x)
        error = (torch.sin(2 * x) + 0.2 * torch.randn(64, 1) - mean) / std
        return update(optimizer, (0.5 * error**2 + std.log()).mean())

    return network, step


class HandsOn(nn.Module):
    """Each block hands on what it has not explained (Oreshkin et al. 2020), and nobody takes it
    from the last.
    """

    def __init__(self):
        super().__init__()
        self.inner = nn.ModuleList(nn.Linear(FEATURES, 32) for _ in range(3))
        self.back = nn.ModuleList(nn.Linear(32, FEATURES) for _ in range(3))
        self.ahead = nn.ModuleList(nn.Linear(32, 1) for _ in range(3))

    def forward(self, x):
        y = torch.zeros(len(x), 1)
        for inner, back, ahead in zip(self.inner, self.back, self.ahead, strict=True):
            h = F.relu(inner(x))
            x, y = x - back(h), y + ahead(h)
        return y


def blocks_that_hand_on_what_they_leave():
    network = HandsOn()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)

    def step():
        x = torch.randn(64, FEATURES)
        return update(optimizer, F.mse_loss(network(x), x[:, :1] + x[:, 1:2].relu()))

    return network, step


def value_network_with_its_target():
    """The target is part of the network, needs gradients as it was built, and has no optimizer."""

    def values():
        return nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Linear(32, 2))

    network = nn.ModuleDict({"own": values(), "target": values()})
    network["target"].load_state_dict(network["own"].state_dict())
    optimizer = torch.optim.Adam(network["own"].parameters(), 1e-3)

    def step():
        x = torch.randn(64, FEATURES)
        with torch.no_grad():
            later = network["target"](torch.randn(64, FEATURES)).max(1).values
            for own, target in zip(*(part.parameters() for part in network.values()), strict=True):
                target.lerp_(own, 0.005)
        reward = x[:, 0].sign()
        return update(optimizer, F.smooth_l1_loss(network["own"](x)[:, 0], reward + 0.9 * later))

    return network, step


class LanguageModel(nn.Module):
    """PyTorch's example `word_language_model`, made small."""

    def __init__(self):
        super().__init__()
        self.encoder, self.drop = nn.Embedding(48, 16), nn.Dropout(0.2)
        self.rnn, self.decoder = nn.LSTM(16, 16, 2, dropout=0.2), nn.Linear(16, 48)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)

    def forward(self, tokens):
        hidden, _ = self.rnn(self.drop(self.encoder(tokens)))
        return F.log_softmax(self.decoder(self.drop(hidden)).flatten(0, 1), 1)


def two_layers_with_gates():
    network = LanguageModel()
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)

    def step():
        start, pace = torch.randint(48, (1, 20)), torch.randint(1, 4, (1, 20))
        tokens = (start + pace * torch.arange(13)[:, None]) % 48
        return update(optimizer, F.nll_loss(network(tokens[:-1]), tokens[1:].flatten()))

    return network, step


def adapters_below_a_frozen_head_that_was_sure_of_another_task():
    network = classifier()
    network[-1].requires_grad_(False).weight.mul_(40)
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], 3e-3)

    def step():
        x, y = samples()
        return update(optimizer, F.cross_entropy(network(x), y))

    return network, step


def parts_that_a_loop_calls_with_mixed_activations():
    """Manifold mixup (Verma et al. 2019): the mix is at any depth, so the loop calls the parts."""
    parts = nn.ModuleList(
        nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU())
        for inputs, outputs in ((FEATURES, 32), (32, 32), (32, CLASSES))
    )
    parts[2] = parts[2][0]
    optimizer = torch.optim.SGD(parts.parameters(), 0.05, momentum=0.9)

    def step():
        x, y = samples()
        target, depth = F.one_hot(y, CLASSES).float(), int(torch.randint(3, ()))
        share, order = torch.rand(()), torch.randperm(len(x))
        for place, part in enumerate(parts):
            if place == depth:
                x = share * x + (1 - share) * x[order]
            x = part(x)
        return update(optimizer, F.cross_entropy(x, share * target + (1 - share) * target[order]))

    return parts, step


NETS = (
    *(generator, discriminator, both_players, new_head_on_a_backbone_that_keeps_its_gradients),
    *(adapter_that_starts_at_zero, residual_branches_of_little_weight, actor_and_critic),
    *(side_branch_of_constant_input, task_that_is_solved_already, positive_and_negative_pairs),
    *(mixture_of_experts, graph_attention, raw_pixels_before_a_batch_normalisation),
    *(agent_of_one_state, agent_of_batches_of_one),
    *(two_layers_with_gates, adapters_below_a_frozen_head_that_was_sure_of_another_task),
    *(solved_exclusive_or, functions_of_parameters_and_an_unused_embedding),
    *(blocks_that_hand_on_what_they_leave, value_network_with_its_target),
    parts_that_a_loop_calls_with_mixed_activations,
)

# The generator takes as long as all others, which the discriminator and both players stand in for.
CHECKED = [
    pytest.param(net, marks=pytest.mark.programs if net is generator else ()) for net in NETS
]


def trained(net, directory=None, steps=110):
    """(weights after training, what was warned of)."""
    torch.manual_seed(0)
    network, step = net()
    warned = []
    if directory is None:
        for _ in range(steps):
            step()
    else:
        with layerscope.watch(network, directory, images=False, summary=False) as watched:
            for _ in range(steps):
                watched.step(step())
        assert watched.failure is None
        warned = [f for f in watched.findings if f.severity != "note"]
    return [p.detach().clone() for p in network.parameters()], warned


@pytest.mark.parametrize("net", CHECKED, ids=lambda net: net.__name__)
def test_a_healthy_net_is_not_warned_of_and_trains_to_the_same_weights(net, tmp_path):
    weights, warned = trained(net, tmp_path)
    assert warned == []
    alone, _ = trained(net)
    assert all(torch.equal(one, other) for one, other in zip(weights, alone, strict=True))


def test_a_layer_that_is_wholly_dead_is_named_at_once_however_small_the_batches(tmp_path):
    torch.manual_seed(0)
    network = classifier()
    with torch.no_grad():
        network[2].bias.fill_(-100.0)
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    with layerscope.watch(network, tmp_path, images=False, summary=False) as watched:
        for _ in range(10):
            x, y = samples(8)
            watched.step(update(optimizer, F.cross_entropy(network(x), y)))
    dead = next(f for f in watched.findings if f.rule == "dead_units")
    assert (dead.severity, dead.layer, dead.step, dead.value) == ("critical", "01_relu", 0, 1.0)
