"""Sick networks: healthy ones with one disease planted at a known layer and step."""

import functools
import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.healthy import (
    CLASSES,
    GPT,
    ResNet,
    adam,
    cross_entropy,
    images,
    mlp,
    sequences,
    sgd,
    token_loss,
    toy,
)
from tests.diagnose.plain_loop import train


@dataclass(frozen=True)
class Planted:
    """What was planted: the rule that must find it, and the layer and step that it must name; and
    other rules that lead to it as well.
    """

    run: object
    rule: str
    layer: str
    step: int = 0
    classes: int | None = None
    also: tuple[str, ...] = ()


def linear_of(network, layer):
    """The Linear of a hidden layer of `mlp`."""
    return network[2 * layer]


def scaled(network, layer, factor):
    with torch.no_grad():
        linear_of(network, layer).weight.mul_(factor)
    return network


def at(step, change):
    """A tamper that changes the network once, before the forward pass of a step."""
    return lambda now, network, when: change(network) if (now, when) == (step, "before") else None


def on_gradients(step, change):
    return lambda now, network, when: (
        change(network) if (now, when) == (step, "gradients") else None
    )


def run(network, *, seed=0, optimizer=adam, steps=30, scale=1.0, **options):
    loss_of = functools.partial(cross_entropy, scale=scale)
    return train(network, toy(seed, steps), loss_of, optimizer(network), **options)


def slow(network):
    """Steps too small to heal what was planted."""
    return sgd(network, 1e-2)


def saturated(layer, step=0):
    if step:
        return run(mlp(nn.Tanh, gain=1.0), tamper=at(step, lambda net: scaled(net, layer, 20)))
    return run(scaled(mlp(nn.Tanh, gain=1.0), layer, 20))


def saturated_sigmoid(layer):
    network = mlp(nn.Sigmoid)
    return run(scaled(network, layer, 40))


def saturated_everywhere():
    return run(mlp(nn.Tanh, gain=64.0))


def idle(layer, activation=nn.Tanh, step=0):
    network = mlp(activation, gain=1.0)
    if step:
        return run(network, optimizer=slow, tamper=at(step, lambda net: scaled(net, layer, 1e-3)))
    return run(scaled(network, layer, 1e-3), optimizer=slow)


def biased(layer, step=0):
    def push(network):
        linear = linear_of(network, layer)
        with torch.no_grad():
            linear.weight.mul_(0.2)
            linear.bias.fill_(1.2)

    network = mlp(nn.Tanh, gain=1.0)
    if not step:
        push(network)
        return run(network, optimizer=slow)
    return run(network, optimizer=slow, tamper=at(step, push))


def dead(layer, step=0, share=0.6, width=32):
    def kill(network):
        with torch.no_grad():
            linear_of(network, layer).bias[: int(share * width)] = -100.0

    network = mlp(nn.ReLU)
    if not step:
        kill(network)
    return run(network, steps=50, tamper=at(step, kill) if step else None)


def dead_channels():
    network = ResNet()
    with torch.no_grad():
        network.blocks[1].bn1.bias[:5] = -100.0
    return train(network, images(0, 30), cross_entropy, sgd(network, 0.01))


def fading(layer, step=0, activation=nn.ReLU):
    """One layer passes back a thirtieth, and its bias keeps its outputs in their usual range."""
    network = mlp(activation, depth=8, gain=1.0 if activation is nn.Tanh else 2.0)
    if not step:
        return run(scaled(network, layer, 0.02), optimizer=slow)
    return run(network, optimizer=slow, tamper=at(step, lambda net: scaled(net, layer, 0.02)))


def fading_everywhere(activation=nn.Tanh, gain=0.3, depth=8, optimizer=slow):
    return run(mlp(activation, depth=depth, gain=gain), optimizer=optimizer)


def growing(layer=None, step=0):
    network = mlp(nn.ReLU, depth=8)
    loss_of = functools.partial(run, optimizer=functools.partial(sgd, lr=1e-12), steps=15)
    if layer is None:
        return loss_of(mlp(nn.ReLU, depth=8, gain=18.0))
    if not step:
        return loss_of(scaled(network, layer, 3000))
    return loss_of(network, tamper=at(step, lambda net: scaled(net, layer, 3000)))


def spike(layer=None, step=40):
    def blow_up(network):
        chosen = [linear_of(network, layer)] if layer is not None else network.modules()
        for module in chosen:
            if isinstance(module, nn.Linear):
                module.weight.grad.mul_(1000)

    network = mlp(nn.Tanh, gain=1.0)
    return run(network, steps=50, tamper=on_gradients(step, blow_up))


def rates(network, layer, lr, decay=0.0):
    chosen = list(linear_of(network, layer).parameters())
    others = [p for p in network.parameters() if all(p is not c for c in chosen)]
    return torch.optim.AdamW(
        [{"params": others, "lr": 1e-3}, {"params": chosen, "lr": lr, "weight_decay": decay}]
    )


def update_of_one(layer, lr, decay=0.0):
    optimizer = functools.partial(rates, layer=layer, lr=lr, decay=decay)
    return run(mlp(nn.Tanh, gain=1.0), optimizer=optimizer, steps=40)


def too_large(step):
    network = mlp(nn.ReLU)
    optimizer = adam(network, 1e-3)

    def tamper(now, network, when):
        if (now, when) == (step, "before"):
            optimizer.param_groups[0]["lr"] = 0.5

    return train(network, toy(0, 45), cross_entropy, optimizer, tamper=tamper)


def too_small():
    return run(mlp(nn.Tanh, gain=1.0), optimizer=functools.partial(adam, lr=1e-9), steps=40)


def left_out(layer):
    """A layer that the optimizer was never given."""

    def without(network):
        chosen = list(linear_of(network, layer).parameters())
        return torch.optim.Adam(
            [p for p in network.parameters() if all(p is not c for c in chosen)], 1e-3
        )

    return run(mlp(nn.Tanh, gain=1.0), optimizer=without, steps=40)


def overconfident():
    network = mlp(nn.Tanh)
    with torch.no_grad():
        network[-1].weight.mul_(20)
    return run(network)


def infinite(layer, step=10):
    def plant(network):
        with torch.no_grad():
            linear_of(network, layer).bias[3] = math.inf

    return run(mlp(nn.ReLU), steps=15, tamper=at(step, plant))


def infinite_input(step=10):
    batches = list(toy(0, 15))
    batches[step][0][2, 3] = math.nan
    network = mlp(nn.ReLU)
    return train(network, batches, cross_entropy, adam(network))


class Root(nn.Module):
    """sqrt(|x - x|) + x: no outputs out of the ordinary, but a slope that is infinite times 0."""

    def __init__(self, step):
        super().__init__()
        self.step, self.calls = step, 0

    def forward(self, x):
        self.calls += 1
        return x + ((x - x.detach()) ** 2).sqrt() if self.calls > self.step else x


def bad_slope(layer, step=10):
    network = list(mlp(nn.ReLU))
    network.insert(2 * layer, Root(step))
    return run(nn.Sequential(*network), steps=15)


def infinite_loss(step=10):
    calls = []

    def loss_of(network, batch):
        calls.append(1)
        p = F.softmax(network(batch[0]), -1)
        factor = 0.0 if len(calls) > step else 1.0
        return -(p * factor).log().mean()

    network = mlp(nn.ReLU)
    return train(network, toy(0, 15), loss_of, adam(network))


def bad_weight_gradient(layer, step=10):
    def plant(network):
        linear_of(network, layer).weight.grad[0, 0] = math.nan

    return run(mlp(nn.ReLU), steps=12, tamper=on_gradients(step, plant))


def collapsed(layer, step=0):
    def flatten(network):
        linear = linear_of(network, layer)
        with torch.no_grad():
            linear.weight.mul_(1e-4)
            linear.bias.normal_(std=0.7)

    network = mlp(nn.Tanh, gain=1.0)
    if not step:
        flatten(network)
    optimizer = functools.partial(sgd, lr=1e-4)
    return run(network, optimizer=optimizer, tamper=at(step, flatten) if step else None)


def sharp_attention():
    network = GPT(11, blocks=2)
    with torch.no_grad():
        network.blocks[1].qkv.weight.mul_(400)
    return train(network, sequences(0, 15), token_loss, adam(network))


def tanh(layer):
    return f"{layer:02d}_tanh"


def relu(layer):
    return f"{layer:02d}_relu"


PLANTED = {
    "saturated tanh, early": Planted(lambda: saturated(0), "saturated", tanh(0)),
    "saturated tanh, middle": Planted(lambda: saturated(3), "saturated", tanh(3)),
    "saturated tanh, late": Planted(lambda: saturated(5), "saturated", tanh(5)),
    "saturated tanh, from step 12": Planted(lambda: saturated(2, 12), "saturated", tanh(2), 12),
    "saturated tanh, everywhere": Planted(saturated_everywhere, "saturated", tanh(0)),
    "saturated sigmoid": Planted(lambda: saturated_sigmoid(2), "saturated", "02_sigmoid"),
    "saturated softmax of attention": Planted(sharp_attention, "saturated", "14_softmax"),
    "idle tanh, early": Planted(lambda: idle(0), "idle", tanh(0)),
    "idle tanh, middle": Planted(lambda: idle(3), "idle", tanh(3)),
    "idle tanh, late": Planted(lambda: idle(5), "idle", tanh(5)),
    "idle ReLU": Planted(lambda: idle(2, nn.ReLU), "idle", relu(2)),
    "idle tanh, from step 12": Planted(lambda: idle(4, step=12), "idle", tanh(4), 12),
    "biased tanh, early": Planted(lambda: biased(0), "biased", tanh(0)),
    "biased tanh, middle": Planted(lambda: biased(3), "biased", tanh(3)),
    "biased tanh, late": Planted(lambda: biased(5), "biased", tanh(5)),
    "biased tanh, from step 9": Planted(lambda: biased(2, 9), "biased", tanh(2), 9),
    "dead ReLU, early": Planted(lambda: dead(0), "dead_units", relu(0)),
    "dead ReLU, middle": Planted(lambda: dead(3), "dead_units", relu(3)),
    "dead ReLU, late": Planted(lambda: dead(5), "dead_units", relu(5)),
    "dead ReLU, from step 17": Planted(lambda: dead(2, 17), "dead_units", relu(2), 17),
    "dead ReLU, the whole layer": Planted(lambda: dead(2, 17, 1.0), "dead_units", relu(2), 17),
    "dead channels": Planted(dead_channels, "dead_units", "09_relu"),
    "fading gradient, early": Planted(lambda: fading(1), "vanishing_gradient", relu(1)),
    "fading gradient, middle": Planted(lambda: fading(4), "vanishing_gradient", relu(4)),
    "fading gradient, late": Planted(lambda: fading(7), "vanishing_gradient", relu(7)),
    "fading gradient, from step 12": Planted(
        lambda: fading(3, 12), "vanishing_gradient", relu(3), 12
    ),
    "fading gradient, every layer": Planted(fading_everywhere, "vanishing_gradient", tanh(1)),
    "fading gradient, sigmoids": Planted(
        lambda: fading_everywhere(nn.Sigmoid, 1.0, 6), "vanishing_gradient", "01_sigmoid"
    ),
    "growing gradient, early": Planted(lambda: growing(1), "exploding_gradient", relu(1)),
    "growing gradient, middle": Planted(lambda: growing(4), "exploding_gradient", relu(4)),
    "growing gradient, late": Planted(lambda: growing(7), "exploding_gradient", relu(7)),
    "growing gradient, from step 6": Planted(
        lambda: growing(3, 6), "exploding_gradient", relu(3), 6
    ),
    "growing gradient, every layer": Planted(growing, "exploding_gradient", relu(1)),
    "spike, early": Planted(lambda: spike(0), "gradient_spike", tanh(0), 40),
    "spike, middle": Planted(lambda: spike(3), "gradient_spike", tanh(3), 40),
    "spike, late": Planted(lambda: spike(5, 30), "gradient_spike", tanh(5), 30),
    "spike, every layer": Planted(spike, "gradient_spike", tanh(0), 40),
    "update too large, early": Planted(
        lambda: update_of_one(0, 0.5, 1.0), "update_too_large", tanh(0)
    ),
    "update too large, middle": Planted(
        lambda: update_of_one(3, 0.5, 1.0), "update_too_large", tanh(3)
    ),
    "update too large, late": Planted(
        lambda: update_of_one(5, 0.5, 1.0), "update_too_large", tanh(5)
    ),
    "update too large, from step 15": Planted(
        lambda: too_large(15), "update_too_large", relu(0), 15
    ),
    "update too small, every layer": Planted(too_small, "update_too_small", tanh(0)),
    "update too small, middle": Planted(
        lambda: update_of_one(3, 1e-8), "update_too_small", tanh(3), also=("stalled",)
    ),
    "left out of the optimizer, early": Planted(lambda: left_out(0), "stalled", tanh(0)),
    "left out of the optimizer, middle": Planted(lambda: left_out(3), "stalled", tanh(3)),
    "left out of the optimizer, late": Planted(lambda: left_out(5), "stalled", tanh(5)),
    "overconfident start": Planted(
        overconfident, "overconfident_start", "06_linear", classes=CLASSES
    ),
    "infinite outputs, early": Planted(lambda: infinite(0), "not_finite", relu(0), 10),
    "infinite outputs, middle": Planted(lambda: infinite(3, 0), "not_finite", relu(3)),
    "infinite outputs, late": Planted(lambda: infinite(5), "not_finite", relu(5), 10),
    "NaN in the data": Planted(infinite_input, "not_finite", relu(0), 10),
    "NaN on the way back, early": Planted(lambda: bad_slope(1), "not_finite", relu(1), 10),
    "NaN on the way back, late": Planted(lambda: bad_slope(5), "not_finite", relu(5), 10),
    "infinite loss": Planted(infinite_loss, "loss_not_finite", "loss", 10),
    "NaN in one weight's gradient": Planted(
        lambda: bad_weight_gradient(4), "not_finite", relu(4), 10
    ),
    "collapsed, early": Planted(lambda: collapsed(0), "collapsed", tanh(0)),
    "collapsed, middle": Planted(lambda: collapsed(3), "collapsed", tanh(3)),
    "collapsed, late": Planted(lambda: collapsed(5), "collapsed", tanh(5)),
    "collapsed, from step 9": Planted(lambda: collapsed(2, 9), "collapsed", tanh(2), 9),
}
"""By name, what was planted."""
