"""Data of a few hundred or thousand samples, made up, that small networks learn in a minute."""

import torch


def standard(x):
    """Each feature with a mean of 0 and a standard deviation of 1."""
    return (x - x.mean(0)) / x.std(0)


def blobs(classes=4, features=10, count=1024, apart=1.5):
    """Inputs [count, features] around a centre per class, and the classes."""
    y = torch.randint(classes, (count,))
    return torch.randn(count, features) + apart * torch.randn(classes, features)[y], y


def ring(count=1024):
    """Points [count, 2] within a ring or outside of it: no line parts them."""
    x = torch.randn(count, 2)
    return x, (x.square().sum(1) > 1.4).long()


def surface(features=6, count=1024):
    """Inputs and a smooth number of each, mean about 0 and standard deviation 1: [count, 1]."""
    x = torch.randn(count, features)
    y = torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3] + x[:, 3:4]
    return x, (y - y.mean()) / y.std()


def pictures(classes=4, count=512, side=8):
    """Pictures [count, 1, side, side] of 0 to 1, one quarter of each brighter; and which."""
    y = torch.randint(classes, (count,))
    x = 0.4 * torch.rand(count, 1, side, side)
    half = side // 2
    for quarter in range(4):
        rows, columns = half * (quarter // 2), half * (quarter % 2)
        x[y % 4 == quarter, :, rows : rows + half, columns : columns + half] += 0.5
    return x, y


def waves(count=512, length=12):
    """Sequences [count, length, 1] of sines, and the next value [count, 1]."""
    start, speed = 6.3 * torch.rand(count, 1), 0.3 + 0.4 * torch.rand(count, 1)
    wave = torch.sin(start + speed * torch.arange(length + 1.0))
    return wave[:, :-1, None], wave[:, -1:]


def phrases(classes=3, count=1024, words=60, length=8):
    """Token numbers [count, length], half of them from the topic's own words; and the topic."""
    y = torch.randint(classes, (count,))
    own = words // classes
    topical = y[:, None] * own + torch.randint(own, (count, length))
    anything = torch.randint(words, (count, length))
    return torch.where(torch.rand(count, length) < 0.5, topical, anything), y
