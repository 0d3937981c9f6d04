"""Small training programs with a fault that people really make, and the same without it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Program:
    """A training program in two forms.

    Attributes:
        rule: the rule that leads to the fault.
        run: trains, given whether the fault is mended, and `watch(model)`.
        first: whether the finding must come first; else it must be among the warnings.
        blind: why nothing that is seen can tell the fault, "" if something can.
        missed: of a held-out program, what was found instead; "" if the fault was.
        warned: of a held-out program, what its mended form was warned of.
        also: other findings that lead to the fault as well, each "rule", or "rule: words of its
            explanation or remedy" where the rule alone does not.
        follows: rules that tell of a consequence.
        beside: other faults that the program has: with the rule they are told before all else.
    """

    rule: str
    run: Callable
    first: bool = True
    blind: str = ""
    missed: str = ""
    warned: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


PROGRAMS: dict[str, Program] = {}
HELD_OUT: dict[str, Program] = {}
ASKED: dict[str, Program] = {}
PRACTICE: dict[str, Program] = {}


def program(rule, **about):
    """Enters a function among PROGRAMS, under its own name."""
    return _entering(PROGRAMS, rule, about)


def held_out(rule, **about):
    """Enters a function among HELD_OUT, on which no rule is mended."""
    return _entering(HELD_OUT, rule, about)


def asked(rule, **about):
    """Enters a function among ASKED: as people ask, written before anything was judged."""
    return _entering(ASKED, rule, about)


def practice(run):
    """Enters a function of `watch` among PRACTICE: healthy training that looks suspicious."""
    PRACTICE[run.__name__] = Program("", lambda _, watch: run(watch))
    return run


def _entering(programs, rule, about):
    def enter(run):
        assert run.__name__ not in programs
        programs[run.__name__] = Program(rule, run, **about)
        return run

    return enter


def batches(*tensors, steps=100, size=32):
    """Random batches of rows that belong together."""
    for _ in range(steps):
        chosen = torch.randint(len(tensors[0]), (size,))
        yield tuple(tensor[chosen] for tensor in tensors)


def fit(watch, model, optimizer, data, loss_of, scheduler=None):
    """The usual loop; loss_of(model, *batch) is the loss. A scheduler steps in every batch."""
    with watch(model) as scope:
        for batch in data:
            optimizer.zero_grad()
            loss = loss_of(model, *batch)
            loss.backward()
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            scope.step(loss)


def of_output(criterion):
    """The usual loss_of of `fit`: criterion(output, targets)."""
    return lambda model, x, y: criterion(model(x), y)


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
