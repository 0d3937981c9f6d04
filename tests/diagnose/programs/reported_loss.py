"""Programs as forums and bug reports describe them: faults of the output and of the loss.

Written before any was judged.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import asked, batches, fit, of_output
from tests.diagnose.programs.reported_data import LARGE_STEPS, SLOW
from tests.usual_step import descend


@asked("loss_after_activation", follows=SLOW)
def a_tanh_before_the_criterion(mended, watch):
    x, y = toys.blobs(classes=6, features=12)
    layers = [nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 6)]
    model = nn.Sequential(*layers, *([] if mended else [nn.Tanh()]))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=200), of_output(F.cross_entropy))


@asked("negative_loss", follows=LARGE_STEPS)
def likelihood_of_raw_scores(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Linear(64, 4),
        *([nn.LogSoftmax(1)] if mended else []),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    criterion = nn.NLLLoss()
    fit(watch, model, optimizer, batches(x, y, steps=150), of_output(criterion))


@asked("loss_broadcast", follows=("loss_not_falling", "collapsed", "labels_without_signal"))
def a_huber_loss_of_a_column_and_a_row(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    y = y if mended else y.squeeze(1)
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(F.smooth_l1_loss))


@asked("not_finite", also=("loss_not_finite",), follows=("no_gradient",))
def distances_of_samples_to_themselves(mended, watch):
    x, y = toys.blobs(classes=4, features=10)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

    def contrast(model, x, y):
        z = model(x)
        square = (z[:, None] - z[None]).square().sum(-1)
        distance = (square + 1e-6 if mended else square).sqrt()
        same = y[:, None] == y[None]
        return torch.where(same, distance, F.relu(2 - distance)).mean()

    fit(watch, model, optimizer, batches(x, y, steps=150), contrast)


@asked("loss_not_finite", follows=("not_finite", "no_gradient"))
def a_batch_in_which_every_label_is_left_out(mended, watch):
    x, y = toys.phrases(classes=3, count=600)
    known = torch.rand(len(y)) < 0.4
    y = torch.where(known, y, -100)

    class Topic(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.fc = nn.Embedding(60, 16), nn.Linear(16, 3)

        def forward(self, x):
            return self.fc(self.embedding(x).mean(1))

    def masked(model, x, y):
        if mended:
            total = F.cross_entropy(model(x), y, reduction="sum")
            return total / (y >= 0).sum().clamp(min=1)
        return F.cross_entropy(model(x), y)

    model = Topic()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    fit(watch, model, optimizer, batches(x, y, steps=200, size=4), masked)


@asked("softmax_over_batch", follows=SLOW)
def log_softmax_over_the_words_of_a_sentence(mended, watch):
    x, _ = toys.phrases(words=60, length=10)
    tags = x % 5

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(60, 24)
            self.lstm = nn.LSTM(24, 32, batch_first=True)
            self.fc = nn.Linear(32, 5)

        def forward(self, x):
            scores = self.fc(self.lstm(self.embedding(x))[0])
            return F.log_softmax(scores, dim=2 if mended else 1)

    model = Tagger()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    fit(
        watch,
        model,
        optimizer,
        batches(x, tags, steps=200),
        lambda m, x, y: F.nll_loss(m(x).flatten(0, 1), y.flatten()),
    )


@asked(
    "collapsed",
    also=("target_out_of_range", "one_class"),
    follows=(*SLOW, "no_gradient"),
    missed="nothing",
)
def pairs_that_are_labelled_0_and_1(mended, watch):
    x, y = toys.blobs(classes=6, features=12)
    model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    criterion = nn.CosineEmbeddingLoss()

    def of_pairs(model, x, y):
        half = len(x) // 2
        alike = (y[:half] == y[half:]).float()
        return criterion(model(x[:half]), model(x[half:]), 2 * alike - 1 if mended else alike)

    fit(watch, model, optimizer, batches(x, y, steps=250, size=64), of_pairs)


@asked("no_gradient", follows=("loss_not_falling", "update_too_small"))
def a_generator_detached_in_its_own_step(mended, watch):
    generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    of_generator = torch.optim.Adam(generator.parameters(), lr=0.001)
    of_critic = torch.optim.Adam(critic.parameters(), lr=0.001)
    ones, zeros = torch.ones(32, 1), torch.zeros(32, 1)
    loss_of = F.binary_cross_entropy_with_logits
    with watch(generator) as scope:
        for _ in range(150):
            real = torch.randn(32, 2) * 0.2 + torch.tensor([1.0, -1.0])
            made = generator(torch.randn(32, 4))
            of_critic.zero_grad()
            (loss_of(critic(real), ones) + loss_of(critic(made.detach()), zeros)).backward()
            of_critic.step()
            descend(scope, of_generator, loss_of(critic(made if mended else made.detach()), ones))


@asked("posterior_collapse", follows=SLOW)
def a_divergence_summed_beside_a_mean_error(mended, watch):
    x, _ = toys.pictures()
    x = x.flatten(1)

    class Autoencoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
            self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))

        def forward(self, x):
            mean, log_variance = self.encoder(x).chunk(2, dim=1)
            z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
            return self.decoder(z), mean, log_variance

    def bound(model, x):
        made, mean, log_variance = model(x)
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)
        if mended:
            return (made - x).square().sum(1).mean() + divergence.mean()
        return F.mse_loss(made, x) + divergence.sum()

    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, steps=300), bound)
