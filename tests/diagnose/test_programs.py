"""Is the fault of a program named, first, and is the mended program left in peace?"""

import pytest

from tests.diagnose.programs import held_out, held_out_later, held_out_of_layers  # noqa: F401  enter them
from tests.diagnose.programs.every_program import PROGRAMS
from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import HELD_OUT

pytestmark = [pytest.mark.slow, pytest.mark.programs]


@pytest.mark.parametrize("name", [name for name, it in PROGRAMS.items() if not it.blind])
def test_the_fault_of_a_program_is_named(name):
    program = PROGRAMS[name]
    rules = [finding.rule for finding in judged(program, mended=False)]
    assert program.rule in rules
    if program.first:
        assert rules[0] == program.rule


@pytest.mark.parametrize("name", [name for name, it in PROGRAMS.items() if it.beside])
def test_two_faults_at_once_are_told_before_what_follows_from_them(name):
    program = PROGRAMS[name]
    rules = [finding.rule for finding in judged(program, mended=False)]
    faults = {program.rule, *program.beside}
    assert set(rules[: len(faults)]) == faults


@pytest.mark.parametrize("name", [name for name, it in PROGRAMS.items() if it.blind])
def test_a_fault_that_cannot_be_seen_is_not_blamed_on_something_else(name):
    rules = {finding.rule for finding in judged(PROGRAMS[name], mended=False)}
    assert rules <= {"loss_not_falling", "labels_without_signal"}  # true of them, and no cause


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_mended_program_is_not_warned_of(name):
    assert judged(PROGRAMS[name], mended=True) == []


@pytest.mark.parametrize("name", [name for name, it in HELD_OUT.items() if not it.missed])
def test_what_was_found_in_a_held_out_program_is_found_still(name):
    program = HELD_OUT[name]
    rules = [finding.rule for finding in judged(program, mended=False)]
    assert program.rule in rules
    if program.first:
        assert rules[0] == program.rule


@pytest.mark.parametrize("name", HELD_OUT)
def test_a_mended_held_out_program_is_warned_of_no_more_than_it_was(name):
    warned = {finding.rule for finding in judged(HELD_OUT[name], mended=True)}
    assert warned <= set(HELD_OUT[name].warned)
