"""Does the judge name what was planted, exactly, and keep quiet about healthy networks?"""

import itertools

import pytest
import torch

from tests.diagnose.healthy import HEALTHY
from tests.diagnose.planted import PLANTED
from tests.diagnose.programs.every_program import PROGRAMS
from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import Program
from tests.diagnose.programs.treated import helps
from tests.diagnose.programs.what_it_was import heads_of, what_it_was
from tests.diagnose.test_rules import rules_and_words


def diseases(figures, classes=None):
    """The warnings and worse; a note is no disease."""
    told = rules_and_words(figures, classes=classes).values()
    return [finding for finding in told if finding.severity != "note"]


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


@pytest.mark.slow
@pytest.mark.programs
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


EVERY = tuple(PROGRAMS.values())
COLUMNS = ("planted", "found", "first", "false", "tried", "helped")


def warnings_of_planted(seeds=(0,)):
    """The same as `warnings_of_programs`, of the planted networks and the healthy ones."""
    warned = []
    for seed in seeds:
        for name, case in PLANTED.items():
            planted = Program(case.rule, case.run, also=case.also)
            for finding in heads_of(sick(name, seed)[1]):
                warned.append((finding.rule, what_it_was(finding, planted, ()), name))
        for name in HEALTHY:
            warned += [(finding.rule, "false", name) for finding in heads_of(well(name, seed))]
    return warned, len(HEALTHY) * len(seeds)


def of_programs(seeds=(0,), programs=EVERY, judged=judged):
    """Of each rule, counts by COLUMNS over programs and seeds.

    planted: programs whose fault it leads to; those that nothing can tell count too. found, first:
    of these, by a warning, and by the first line. false: warnings of it on mended programs. tried,
    helped: of first lines, those whose first remedy a program can apply, and those that it `helps`.
    """
    counts = {program.rule: dict.fromkeys(COLUMNS, 0) for program in programs}

    def add(rule, column, number=1):
        counts.setdefault(rule, dict.fromkeys(COLUMNS, 0))[column] += number

    for program, seed in itertools.product(programs, seeds):
        faulty = judged(program, mended=False, seed=seed)
        mended = judged(program, mended=True, seed=seed)
        rules = [finding.rule for finding in faulty]
        add(program.rule, "planted")
        add(program.rule, "found", program.rule in rules)
        add(program.rule, "first", rules[:1] == [program.rule])
        for finding in mended:
            add(finding.rule, "false")
        if faulty and (helped := helps(program, faulty[0], seed)) is not None:
            add(faulty[0].rule, "tried")
            add(faulty[0].rule, "helped", helped)
    return counts


def table(counts, runs):
    """Markdown of `of_programs`."""
    total = {column: sum(of[column] for of in counts.values()) for column in COLUMNS}
    rows = [*sorted(counts.items()), ("all", total)]
    return "\n".join(
        [
            "| rule | runs with its fault | found | named first | "
            f"warned of, in {runs} mended runs | remedy tried | helped |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {rule} | {of['planted']} | {of['found']} | {of['first']} | {of['false']} | "
                f"{of['tried']} | {of['helped']} |"
                for rule, of in rows
            ),
        ]
    )


if __name__ == "__main__":  # python tests/diagnose/test_confusion.py
    print(confusion(), table(of_programs(), len(PROGRAMS)), sep="\n\n")
