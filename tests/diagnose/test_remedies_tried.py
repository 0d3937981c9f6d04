"""Does a finding's first remedy help, done as it says by a program that knows no more than it?"""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from tests.diagnose.programs import treated
from tests.diagnose.programs.every_program import PROGRAMS
from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.remedies import remedy_for
from tests.diagnose.programs.remedy import Remedy

QUICK = (
    "mse_of_a_column_and_a_row",  # another loss
    "ages_and_an_absolute_error",  # scaled targets
    "gradients_cleared_between_backward_and_step",  # another loop
    "momentum_that_is_lost_in_each_step",  # another optimizer
    "scores_into_a_binary_loss_of_probabilities",  # by hand
)


def first_of(program):
    return judged(program, mended=False)[0]


@pytest.mark.parametrize("name", QUICK)
def test_the_first_remedy_helps_where_a_program_can_apply_it(name):
    helped = treated.helps(PROGRAMS[name], first_of(PROGRAMS[name]))
    assert helped is (None if name.startswith("scores") else True)


def test_a_remedy_does_not_help_if_the_finding_stays_or_the_loss(monkeypatch):
    program = PROGRAMS["mse_of_a_column_and_a_row"]
    finding = first_of(program)
    monkeypatch.setattr(treated, "remedy_for", lambda _: Remedy())
    monkeypatch.setattr(treated, "improved", lambda before, after: True)
    assert not treated.helps(program, finding)
    monkeypatch.setattr(treated, "improved", lambda before, after: after < before)
    assert not treated.helps(program, replace(finding, rule="one that is gone"))


def test_a_training_that_is_only_measured_as_with_the_remedy_is_the_faulty_one():
    program = PROGRAMS["ages_and_an_absolute_error"]
    measure = remedy_for(first_of(program)).measure
    assert measure.losses
    ends = []

    @contextmanager
    def watch(model):
        yield treated.Quiet()
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))

    for each in (program, treated.Treated(program, measure)):
        torch.manual_seed(0)
        each.run(False, watch)
    assert torch.equal(*ends)


LEARNED = "it has learned its task all the same"
LIKE_A_MOMENTUM = "the sum of all gradients works like a momentum"
NO_HELP = {
    "every_weight_one_tenth": LEARNED,
    "validated_once_and_never_switched_back": LEARNED,
    "tied_embedding_from_a_standard_normal": LEARNED,
    "readings_of_about_eight_under_a_tanh": LEARNED,
    "heads_in_a_dict": "the body learns enough for heads that never do",
    "no_zero_grad_at_all": LIKE_A_MOMENTUM,
    "zero_grad_once_an_epoch": LIKE_A_MOMENTUM,
    "a_head_whose_own_optimizer_is_forgotten": LIKE_A_MOMENTUM,
    "gradients_clipped_when_the_step_is_over": "the clip makes steps smaller, and was of no need",
    "an_absolute_error_of_a_sigmoid": "its rate is too low as well",
    "statistics_of_two_small_batches": "its last statistics are near those of all data by chance",
    "a_forecast_that_is_given_in_thousandths": "a factor stays, which the remedy names last",
    "letters_as_their_numbers": "they have no order, scaled or not",
    "a_critic_that_is_never_cleared": "of two that play against each other neither's loss says",
    "seconds_beside_a_share": "what is tried cannot tell the targets of two losses apart",
    "times_by_steps_that_are_too_small": "the loss of an order of times falls by few per cent",
    "a_bias_that_favours_the_busy_expert": "a loss for balance is no match for its bias",
}
"""Of programs whose first remedy does not help, why."""


@pytest.mark.slow
@pytest.mark.programs
@pytest.mark.parametrize("name", [name for name, it in PROGRAMS.items() if not it.blind])
def test_the_first_remedy_of_each_program_helps_but_for_those_that_are_known(name):
    helped = treated.helps(PROGRAMS[name], first_of(PROGRAMS[name]))
    assert (helped is False) == (name in NO_HELP)
