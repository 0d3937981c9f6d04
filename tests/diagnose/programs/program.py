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
