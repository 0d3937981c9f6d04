"""Programs as people ask about them: does the first line lead to the fault?"""

import pytest

from tests.diagnose.programs import (  # noqa: F401  enter them
    asked_later,
    asked_of_data,
    asked_of_loss,
    asked_of_training,
    every_program,
    practice,
    practice_later,
    practice_of_fields,
    practice_of_losses,
    practice_of_targets,
    reported_data,
    reported_later,
    reported_loss,
    reported_training,
)
from tests.diagnose.programs.judged import judged, leads
from tests.diagnose.programs.program import ASKED, PRACTICE

pytestmark = [pytest.mark.slow, pytest.mark.programs]


@pytest.mark.parametrize("name", ASKED)
def test_the_first_line_leads_to_the_fault(name):
    told = judged(ASKED[name], mended=False)
    if ASKED[name].missed:
        assert not told or not leads(ASKED[name], told[0])  # else it is missed no more: say so
    else:
        assert leads(ASKED[name], told[0])


@pytest.mark.parametrize("name", ASKED)
def test_a_program_that_was_asked_about_is_silent_once_it_is_mended(name):
    warned = {finding.rule for finding in judged(ASKED[name], mended=True)}
    assert warned <= set(ASKED[name].warned)


@pytest.mark.parametrize("name", PRACTICE)
def test_good_practice_that_looks_suspicious_is_not_warned_of(name):
    warned = {finding.rule for finding in judged(PRACTICE[name], mended=True)}
    assert warned <= set(PRACTICE[name].warned)
