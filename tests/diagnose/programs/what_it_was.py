"""What each warning of the programs was: of the fault, of what follows from it, or neither."""

import itertools
from functools import cache

from layerscope.diagnose.findings.consequences import CONSEQUENCES
from tests.diagnose.programs import (  # noqa: F401  enter them
    asked_later,
    asked_of_data,
    asked_of_loss,
    asked_of_training,
    held_out,
    held_out_later,
    held_out_of_layers,
    practice,
    practice_later,
    practice_of_losses,
    practice_of_targets,
    reported_data,
    reported_later,
    reported_loss,
    reported_training,
)
from tests.diagnose.programs.every_program import PROGRAMS
from tests.diagnose.programs.judged import judged, leads
from tests.diagnose.programs.program import ASKED, HELD_OUT, PRACTICE

WITH_A_FAULT = (PROGRAMS, HELD_OUT, ASKED)


def what_it_was(finding, program, mended):
    """Of a warning in the faulty form: "cause", "consequence" or "astray".

    A consequence is of a rule that may follow from the fault, also by way of another, and is not
    found in the mended form.

    Args:
        mended: names of rules found there.
    """
    if leads(program, finding):
        return "cause"
    may_follow = finding.rule in (*program.follows, *may_follow_from(program.rule))
    return "consequence" if may_follow and finding.rule not in mended else "astray"


@cache
def may_follow_from(rule):
    """Names of rules: those of CONSEQUENCES, and what follows from them in turn."""
    found, new = set(), {rule}
    while new:
        new = set().union(*(CONSEQUENCES.get(each, ()) for each in new)) - found
        found |= new
    return frozenset(found)


def warnings_of_programs(seeds=(0,), judged=judged):
    """(rule, what it was, program) of each warning that stands under no cause, and how many runs
    had no fault.
    """
    warned, healthy = [], 0
    for programs, seed in itertools.product((*WITH_A_FAULT, PRACTICE), seeds):
        for name, program in programs.items():
            heads = heads_of(judged(program, mended=True, seed=seed))
            warned += [(finding.rule, "false", f"{name}, mended") for finding in heads]
            healthy += 1
            if programs is not PRACTICE:
                mended = {finding.rule for finding in judged(program, mended=True, seed=seed)}
                for finding in heads_of(judged(program, mended=False, seed=seed)):
                    warned.append((finding.rule, what_it_was(finding, program, mended), name))
    return warned, healthy


def heads_of(findings):
    """Those with which a story begins."""
    return [finding for finding in findings if not finding.because]


def counted(warned):
    """Of each rule, how many of its warnings were each, as sureness.json has it."""
    counts = {}
    for rule, was, _ in warned:
        of = counts.setdefault(rule, {"cause": 0, "consequence": 0, "astray": 0, "false": 0})
        of[was] += 1
    return dict(sorted(counts.items()))
