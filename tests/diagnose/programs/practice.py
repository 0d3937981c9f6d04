"""Healthy programs of ordinary practice that look suspicious: no warning is right.

Written before any was judged, by a writer who had not read the rules.
"""

import copy

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, fit, of_output, practice
from tests.usual_step import descend


@practice
def a_transformer_with_a_warm_up(watch):
    x, y = toys.phrases()

    class Topic(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(60, 32)
            self.encoder = nn.ModuleList(
                nn.TransformerEncoderLayer(
                    32, 4, 64, dropout=0.1, batch_first=True, norm_first=True
                )
                for _ in range(3)
            )
            self.norm, self.fc = nn.LayerNorm(32), nn.Linear(32, 3)

        def forward(self, x):
            x = self.embedding(x)
            for block in self.encoder:
                x = block(x)
            return self.fc(self.norm(x).mean(1))

    model = Topic()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 100))
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy), warm)


@practice
def a_rate_of_a_half_with_batch_norm(watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=5e-4)
    fit(watch, model, optimizer, batches(x, y, steps=200, size=64), of_output(F.cross_entropy))


@practice
def focal_loss_of_a_rare_class(watch):
    x = torch.randn(2000, 10)
    y = (x[:, 0] + x[:, 1] > 2.9).float()  # one in fifty
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    nn.init.constant_(model[2].bias, -3.9)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

    def focal(model, x, y):
        logit = model(x).squeeze(1)
        plain = F.binary_cross_entropy_with_logits(logit, y, reduction="none")
        return ((1 - torch.exp(-plain)) ** 2 * plain).mean()

    fit(watch, model, optimizer, batches(x, y, steps=250, size=64), focal)


@practice
def smoothed_labels_and_mixup(watch):
    x, y = toys.blobs(classes=4, features=12)
    model = nn.Sequential(
        nn.Linear(12, 64),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)

    def mixed(model, x, y):
        share, other = float(torch.distributions.Beta(0.4, 0.4).sample()), torch.randperm(len(x))
        out = model(share * x + (1 - share) * x[other])
        loss = nn.CrossEntropyLoss(label_smoothing=0.1)
        return share * loss(out, y) + (1 - share) * loss(out, y[other])

    fit(watch, model, optimizer, batches(x, y, steps=250), mixed)


@practice
def a_score_of_similarities_below_zero(watch):
    x, _ = toys.blobs(classes=6, features=16)
    model = nn.Sequential(
        nn.Linear(16, 64),
        nn.ReLU(),
        nn.Linear(64, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Linear(64, 16),
    )
    head = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 16))
    both = nn.ModuleDict({"encoder": model, "predictor": head})
    optimizer = torch.optim.SGD(both.parameters(), lr=0.05, momentum=0.9)

    def simsiam(nets, x):
        a, b = (nets["encoder"](x + 0.1 * torch.randn_like(x)) for _ in range(2))
        p, q = nets["predictor"](a), nets["predictor"](b)
        return (
            -(F.cosine_similarity(p, b.detach()).mean() + F.cosine_similarity(q, a.detach()).mean())
            / 2
        )

    fit(watch, both, optimizer, batches(x, steps=200, size=64), simsiam)


@practice
def a_variational_autoencoder(watch):
    x = toys.pictures()[0].flatten(1)

    class Vae(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode, self.stats = nn.Linear(64, 64), nn.Linear(64, 8)
            self.decode, self.out = nn.Linear(4, 64), nn.Linear(64, 64)

        def forward(self, x):
            mean, log_variance = self.stats(F.relu(self.encode(x))).chunk(2, 1)
            z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            return torch.sigmoid(self.out(F.relu(self.decode(z)))), mean, log_variance

    def elbo(model, x):
        out, mean, log_variance = model(x)
        likelihood = F.binary_cross_entropy(out, x, reduction="sum")
        return likelihood - 0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()

    model = Vae()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, steps=250, size=64), elbo)


@practice
def q_learning_with_a_target_network(watch):
    q = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    target = copy.deepcopy(q)
    optimizer = torch.optim.Adam(q.parameters(), lr=1e-3)
    state = torch.randn(2000, 4)
    action = torch.randint(2, (2000,))
    after = 0.9 * state + 0.3 * (2 * action[:, None] - 1)
    reward, over = (after[:, 0].abs() < 0.5).float(), torch.rand(2000) < 0.1
    with watch(q) as scope:
        for step, (s, a, r, t, o) in enumerate(
            batches(state, action, reward, after, over.float(), steps=300)
        ):
            with torch.no_grad():
                wanted = r + 0.95 * (1 - o) * target(t).max(1).values
            loss = F.smooth_l1_loss(q(s).gather(1, a[:, None]).squeeze(1), wanted)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_value_(q.parameters(), 100)
            optimizer.step()
            scope.step(loss)
            if step % 50 == 49:
                target.load_state_dict(q.state_dict())


@practice
def a_generator_and_a_critic(watch):
    real = toys.ring(2000)[0]
    nets = nn.ModuleDict(
        {
            "generator": nn.Sequential(
                nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
            ),
            "critic": nn.Sequential(
                nn.Linear(2, 64),
                nn.LeakyReLU(0.2),
                nn.Linear(64, 64),
                nn.LeakyReLU(0.2),
                nn.Linear(64, 1),
            ),
        }
    )
    g = torch.optim.Adam(nets["generator"].parameters(), lr=5e-4, betas=(0.5, 0.999))
    d = torch.optim.Adam(nets["critic"].parameters(), lr=5e-4, betas=(0.5, 0.999))
    loss, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(64, 1), torch.zeros(64, 1)
    with watch(nets) as scope:
        for (x,) in batches(real, steps=200, size=64):
            fake = nets["generator"](torch.randn(64, 8))
            d.zero_grad()
            critic = loss(nets["critic"](x), ones) + loss(nets["critic"](fake.detach()), zeros)
            critic.backward()
            d.step()
            descend(scope, g, loss(nets["critic"](fake), ones))


@practice
def a_policy_by_its_returns(watch):
    policy = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 3))
    optimizer = torch.optim.Adam(policy.parameters(), lr=0.003)
    best = torch.randn(4, 3)
    with watch(policy) as scope:
        for _ in range(250):
            state = torch.randn(64, 4)
            chosen = torch.distributions.Categorical(logits=policy(state))
            action = chosen.sample()
            reward = (action == (state @ best).argmax(1)).float()
            advantage = (reward - reward.mean()) / (reward.std() + 1e-6)
            loss = -(chosen.log_prob(action) * advantage).mean() - 0.01 * chosen.entropy().mean()
            descend(scope, optimizer, loss)


@practice
def trained_on_long_after_it_is_solved(watch):
    x, y = toys.blobs(classes=3, features=8, count=300, apart=4.0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    fit(watch, model, optimizer, batches(x, y, steps=400), of_output(F.cross_entropy))


@practice
def batches_of_two(watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 32), nn.GELU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=300, size=2), of_output(F.mse_loss))


@practice
def a_frozen_backbone_and_a_new_head(watch):
    x, y = toys.pictures()

    class Transfer(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone = nn.Sequential(
                nn.Conv2d(1, 16, 3, padding=1),
                nn.BatchNorm2d(16),
                nn.ReLU(),
                nn.Conv2d(16, 16, 3, padding=1),
                nn.ReLU(),
            )
            self.head = nn.Linear(1024, 4)

        def forward(self, x):
            with torch.no_grad():
                features = self.backbone(x)
            return self.head(features.flatten(1))

    model = Transfer()
    model.backbone.requires_grad_(False).eval()
    optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-3)
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(F.cross_entropy))


@practice
def blocks_whose_branches_start_small(watch):
    x, y = toys.blobs(classes=4, features=16)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(32)
            self.mlp = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
            self.scale = nn.Parameter(torch.full((32,), 1e-4))

        def forward(self, x):
            return x + self.scale * self.mlp(self.norm(x))

    model = nn.Sequential(
        nn.Linear(16, 32), *(Block() for _ in range(6)), nn.LayerNorm(32), nn.Linear(32, 4)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))
