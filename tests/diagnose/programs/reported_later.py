"""Fifteen further programs of the kind of `reported_*.py`.

Written after the rules were mended on those, before any of these was judged, and judged once.
"""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import asked, batches, fit, of_output
from tests.diagnose.programs.reported_data import LARGE_STEPS, SLOW
from tests.diagnose.programs.reported_training import classify, error


def convolutions():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4)
    )


@asked("input_scale", follows=SLOW)
def pictures_divided_by_255_twice(mended, watch):
    x, y = toys.pictures()
    model = convolutions()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    x = x if mended else x / 255
    fit(watch, model, optimizer, batches(x, y, steps=200), classify)


@asked("input_scale", also=("collapsed", "labels_without_signal"), follows=SLOW)
def every_item_is_the_first(mended, watch):
    x, y = toys.blobs()
    x = x if mended else x[:1].expand(len(x), -1)
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    fit(watch, model, optimizer, batches(x, y, steps=250), classify)


@asked("input_scale", also=("collapsed",), follows=(*SLOW, "no_gradient", "idle", "dead_units"))
def pictures_cut_to_whole_numbers(mended, watch):
    x, y = toys.pictures()
    x = x if mended else x.to(torch.uint8).float()
    model = convolutions()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=200), classify)


@asked("target_out_of_range", follows=(*SLOW, "saturated"))
def a_sigmoid_that_is_to_give_standardised_pixels(mended, watch):
    x = toys.standard(toys.pictures()[0].flatten(1))
    layers = [nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 64)]
    model = nn.Sequential(*layers, *([] if mended else [nn.Sigmoid()]))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, steps=250), lambda m, x: F.mse_loss(m(x), x))


@asked("overconfident_start", follows=LARGE_STEPS, missed="nothing")
def a_temperature_of_a_thousandth(mended, watch):
    x, _ = toys.blobs(classes=10, features=20)
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 16))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)

    def contrast(model, x):
        one, other = (F.normalize(model(x + 0.2 * torch.randn_like(x)), dim=1) for _ in range(2))
        return F.cross_entropy(one @ other.T / (0.2 if mended else 0.001), torch.arange(len(x)))

    fit(watch, model, optimizer, batches(x, steps=200), contrast)


@asked("overconfident_start", follows=LARGE_STEPS)
def a_prior_with_the_wrong_sign(mended, watch):
    x = torch.randn(2000, 12)
    y = (x[:, :1] + x[:, 1:2] > 2.4).float()
    model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 1))
    nn.init.constant_(model[2].bias, -3.0 if mended else 30.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    loss = F.binary_cross_entropy_with_logits
    fit(watch, model, optimizer, batches(x, y, steps=250), of_output(loss))


class ByHand(nn.Module):
    """log(1 + exp(x)), as it is written in a paper."""

    def forward(self, x):
        return torch.log(1 + torch.exp(x))


@asked("not_finite", also=("loss_not_finite", "input_scale"), follows=LARGE_STEPS)
def a_softplus_by_hand(mended, watch):
    x, y = toys.surface()
    x = 60 * x
    function = nn.Softplus if mended else ByHand
    first = [nn.BatchNorm1d(6)] if mended else []
    model = nn.Sequential(*first, nn.Linear(6, 64), function(), nn.Linear(64, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=200), error)


@asked(
    "loss_reduction",
    also=("update_too_large: mean", "loss_diverged: mean"),
    follows=LARGE_STEPS,
    missed="loss_diverged",
)
def backward_from_every_sample(mended, watch):
    x, y = toys.surface()
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with watch(model) as scope:
        for batch_x, batch_y in batches(x, y, steps=200, size=64):
            optimizer.zero_grad()
            loss = F.mse_loss(model(batch_x), batch_y, reduction="none")
            if mended:
                loss.mean().backward()
            else:
                loss.backward(torch.ones_like(loss))
            optimizer.step()
            scope.step(loss.mean())


@asked("no_gradient", missed="a note: what the loss does not see may be meant")
def the_second_loss_is_not_added(mended, watch):
    x, y = toys.surface()
    kind = (x[:, 4] > 0).long()

    class TwoHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(6, 64), nn.ReLU())
            self.value, self.kind = nn.Linear(64, 1), nn.Linear(64, 2)

        def forward(self, x):
            x = self.body(x)
            return self.value(x), self.kind(x)

    def loss_of(model, x, y, kind):
        value, scores = model(x)
        of_value, of_kind = F.mse_loss(value, y), F.cross_entropy(scores, kind)
        return of_value + of_kind if mended else of_value

    model = TwoHeads()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, kind, steps=200), loss_of)


@asked(
    "loss_not_falling: lr",
    also=("update_too_small", "learning_rate_gone"),
    follows=SLOW,
    missed="nothing",
)
def a_warm_up_of_a_million_steps(mended, watch):
    x, y = toys.blobs()
    model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
    steps = 50 if mended else 1_000_000
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / steps))
    fit(watch, model, optimizer, batches(x, y, steps=250), classify, warm)


@asked("not_optimized", follows=SLOW)
def an_optimizer_that_has_the_head_only(mended, watch):
    x, y = toys.pictures()
    model = nn.Sequential()
    model.add_module("body", nn.Sequential(*convolutions()[:-1]))
    model.add_module("head", nn.Linear(128, 4))
    trained = model.parameters() if mended else model.head.parameters()
    optimizer = torch.optim.Adam(trained, lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=150), classify)


@asked("no_gradient", missed="a note: what the loss does not see may be meant")
def a_layer_that_is_passed_by(mended, watch):
    x, y = toys.blobs()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(10, 32), nn.Linear(32, 32)
            self.out = nn.Linear(32, 4)

        def forward(self, x):
            first = F.relu(self.fc1(x))
            second = F.relu(self.fc2(first))
            return self.out(second if mended else first)

    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    fit(watch, model, optimizer, batches(x, y, steps=150), classify)


@asked(
    "saturated",
    also=("exploding_gradient", "vanishing_gradient", "dead_units: init"),
    follows=LARGE_STEPS,
)
def xavier_with_a_gain_of_eight(mended, watch):
    x, y = toys.blobs(features=16)
    layers = [layer for _ in range(6) for layer in (nn.Linear(64, 64), nn.Tanh())]
    model = nn.Sequential(nn.Linear(16, 64), nn.Tanh(), *layers, nn.Linear(64, 4))
    for layer in model[:-1]:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_normal_(layer.weight, gain=1.0 if mended else 8.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    fit(watch, model, optimizer, batches(x, y, steps=150), classify)


@asked(
    "collapsed",
    also=("vanishing_gradient", "attention_uniform"),
    follows=("loss_not_falling", "labels_without_signal"),
    missed="notes; it learns all the same",
)
def attention_without_a_way_around(mended, watch):
    x, y = toys.phrases()

    class Topic(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(60, 32)
            self.layers = nn.ModuleList(
                nn.MultiheadAttention(32, 4, batch_first=True) for _ in range(8)
            )
            self.norm, self.fc = nn.LayerNorm(32), nn.Linear(32, 3)

        def forward(self, x):
            x = self.embedding(x)
            for layer in self.layers:
                seen = layer(x, x, x, need_weights=False)[0]
                x = x + seen if mended else seen
            return self.fc((self.norm(x) if mended else x).mean(1))

    model = Topic()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    fit(watch, model, optimizer, batches(x, y, steps=200), classify)


@asked(
    "input_scale",
    also=("attention_collapse", "saturated", "overconfident_start", "attention_logit_growth"),
    follows=LARGE_STEPS,
    missed="notes, as the loss falls all the same",
)
def positions_added_as_they_are(mended, watch):
    x, y = toys.phrases(length=64)

    class Topic(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(60, 32)
            self.place = nn.Embedding(64, 32)
            self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
            self.fc = nn.Linear(32, 3)

        def forward(self, x):
            numbers = torch.arange(x.shape[1])
            x = self.embedding(x) + (self.place(numbers) if mended else numbers[:, None].float())
            return self.fc((x + self.attention(x, x, x, need_weights=False)[0]).mean(1))

    model = Topic()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    fit(watch, model, optimizer, batches(x, y, steps=200), classify)
