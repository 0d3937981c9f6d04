"""Runs a program under `layerscope.watch`, as a user would, and says what was found."""

import tempfile
import warnings
from contextlib import contextmanager

import torch

import layerscope

SEVERE = ("warning", "critical")


def judged(program, mended, seed=0):
    """The warnings of a run, in the order in which they are told."""
    torch.manual_seed(seed)
    scopes = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # torch itself warns of some of the faults.
        warnings.simplefilter("ignore", UserWarning)

        @contextmanager
        def watch(model):
            with layerscope.watch(model, folder, images=False, summary=False) as scope:
                scopes.append(scope)
                yield scope

        program.run(mended, watch)
    (scope,) = scopes
    assert scope.failure is None, scope.failure
    return [f for f in scope.findings if f.severity in SEVERE]


def leads(program, finding):
    """Whether a finding would lead a person to the program's fault."""
    for known in (program.rule, *program.also):
        rule, _, words = known.partition(": ")
        text = f"{finding.explanation} {finding.remedy}"
        if finding.rule == rule and words in text:
            return True
    return False
