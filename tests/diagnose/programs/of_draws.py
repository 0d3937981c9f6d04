"""Programs whose noise is the same at each step, or next to none, or all; and rounded numbers."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.of_data import perceptron
from tests.diagnose.programs.program import batches, fit, of_output, program


@program("inputs_repeat")
def the_noise_of_a_denoiser_from_one_seed(mended, watch):
    x = toys.pictures()[0].flatten(1) * 2 - 1
    model = perceptron(64, 64)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def noisy():
        draw = torch.Generator()
        for number, (batch,) in enumerate(batches(x, steps=120)):
            draw.manual_seed(number if mended else 7)
            yield batch + 0.5 * torch.randn(batch.shape, generator=draw), batch

    fit(watch, model, optimizer, noisy(), of_output(F.mse_loss))


@program("inputs_repeat")
def noise_to_be_told_that_is_drawn_before_the_loop(mended, watch):
    x = toys.waves()[0][..., 0]
    model = perceptron(12, 12)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    once = torch.randn(32, 12)

    def noisy():
        for (batch,) in batches(x, steps=120):
            noise = torch.randn(32, 12) if mended else once
            yield 0.8 * batch + 0.6 * noise, noise

    fit(watch, model, optimizer, noisy(), of_output(F.mse_loss))


class Shop(nn.Module):
    def __init__(self):
        super().__init__()
        self.items, self.out = nn.Embedding(3000, 8), nn.Linear(10, 1)

    def forward(self, x):
        features = x[:, 1:].to(self.out.weight.dtype)
        return self.out(torch.cat([self.items(x[:, 0].long()), features], 1))


@program("ids_rounded")
def articles_and_features_in_one_tensor_of_bfloat16(mended, watch):
    item, features = torch.randint(3000, (4096, 1)), torch.randn(4096, 2)
    y = torch.randn(3000, 1)[item[:, 0]] + features[:, :1]
    x = torch.cat([item, features], 1)
    x = x if mended else x.to(torch.bfloat16)
    model = Shop()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    fit(watch, model, optimizer, batches(x, y, steps=120), of_output(F.mse_loss))


@program("ids_rounded")
def tokens_that_were_kept_as_half_precision(mended, watch):
    tokens, topic = toys.phrases(words=6000)
    tokens = tokens if mended else tokens.half().long()
    model = nn.Sequential(nn.Embedding(6001, 16), nn.Flatten(), *perceptron(8 * 16, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    fit(watch, model, optimizer, batches(tokens, topic, steps=120), of_output(F.cross_entropy))


class OfTime(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.times, self.layers = nn.Embedding(50, 16), perceptron(width + 16, width)

    def forward(self, x, time):
        return self.layers(torch.cat([x, self.times(time)], 1))


@program("target_is_input")
def the_product_of_the_betas_themselves(mended, watch):
    x = toys.waves(length=8)[0][..., 0]
    betas = torch.linspace(0.001, 0.3, 50)
    bar = torch.cumprod(1 - betas if mended else betas, 0)[:, None]
    model = OfTime(8)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def loss_of(model, clean):
        time, noise = torch.randint(50, (len(clean),)), torch.randn_like(clean)
        noisy = bar[time].sqrt() * clean + (1 - bar[time]).sqrt() * noise
        return F.mse_loss(model(noisy, time), noise)

    fit(watch, model, optimizer, batches(x, steps=120), loss_of)


@program("target_is_input")
def a_denoiser_with_next_to_no_noise(mended, watch):
    x = toys.pictures()[0].flatten(1)
    model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 64))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    size = 0.3 if mended else 0.3 / 255  # of pictures that were divided already

    def loss_of(model, clean):
        return F.mse_loss(model(clean + size * torch.randn_like(clean)), clean)

    fit(watch, model, optimizer, batches(x, steps=120), loss_of)
