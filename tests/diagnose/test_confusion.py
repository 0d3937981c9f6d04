"""Does the judge name what was planted, exactly, and keep quiet about healthy networks?"""

import pytest
import torch

from layerscope.diagnose import Judge
from tests.diagnose.healthy import HEALTHY
from tests.diagnose.planted import PLANTED
from tests.diagnose.programs.every_program import PROGRAMS
from tests.diagnose.programs.judged import judged


def diseases(figures, classes=None):
    """The warnings and worse; a note is no disease."""
    judge = Judge((), classes=classes)
    judge.look(figures)
    return [finding for finding in judge.findings if finding.severity != "note"]


def sick(name, seed=0):
    """(whether the planted disease was named exactly, all that was found)."""
    planted = PLANTED[name]
    torch.manual_seed(seed)
    found = diseases(planted.run(), planted.classes)
    expected = (planted.rule, planted.layer, planted.step)
    return expected in {(f.rule, f.layer, f.step) for f in found}, found


def well(name, seed=0):
    """What was found in a healthy network, which should be nothing."""
    torch.manual_seed(seed)
    return diseases(HEALTHY[name](seed))


@pytest.mark.parametrize("name", PLANTED)
def test_what_was_planted_is_named_with_its_layer_and_step(name):
    exact, found = sick(name)
    assert exact, found


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_network_is_not_warned_of(name):
    assert well(name) == []


def confusion(seed=0):
    """Markdown: of each rule, planted and named exactly, and warnings on healthy networks."""
    rules = list(dict.fromkeys(planted.rule for planted in PLANTED.values()))
    planted = dict.fromkeys(rules, 0)
    exact, also, false = dict(planted), dict(planted), dict(planted)
    for name, case in PLANTED.items():
        named, found = sick(name, seed)
        planted[case.rule] += 1
        exact[case.rule] += named
        for finding in found:
            also[finding.rule] += finding.rule != case.rule
    for name in HEALTHY:
        for finding in well(name, seed):
            false[finding.rule] += 1
    lines = [
        "| rule | planted | rule, layer and step exact | named beside another disease | "
        f"warned of, in {len(HEALTHY)} healthy networks |",
        "|---|---|---|---|---|",
        *(f"| {r} | {planted[r]} | {exact[r]} | {also[r]} | {false[r]} |" for r in rules),
        f"| all | {sum(planted.values())} | {sum(exact.values())} | {sum(also.values())} | "
        f"{sum(false.values())} |",
    ]
    return "\n".join(lines)


def of_programs(seed=0):
    """Markdown: of each rule its programs, and how many were led to their fault.

    Programs whose fault nothing can tell are planted too, and not found.
    """
    rules = list(dict.fromkeys(program.rule for program in PROGRAMS.values()))
    counts = {rule: [0, 0, 0, 0] for rule in rules}
    for program in PROGRAMS.values():
        faulty = [finding.rule for finding in judged(program, mended=False, seed=seed)]
        mended = {finding.rule for finding in judged(program, mended=True, seed=seed)}
        for rule in mended:
            counts.setdefault(rule, [0, 0, 0, 0])[3] += 1
        found = (1, program.rule in faulty, faulty[:1] == [program.rule], 0)
        counts[program.rule] = [a + b for a, b in zip(counts[program.rule], found, strict=True)]
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    rows = [*sorted(counts.items()), ("all", total)]
    return "\n".join(
        [
            "| rule | programs with its fault | found | named first | "
            f"warned of, in {len(PROGRAMS)} mended programs |",
            "|---|---|---|---|---|",
            *("| " + " | ".join(map(str, (rule, *row))) + " |" for rule, row in rows),
        ]
    )


if __name__ == "__main__":  # python tests/diagnose/test_confusion.py
    print(confusion(), of_programs(), sep="\n\n")
