"""A policy's gradient is told from that of its entropy."""

import numpy as np
import pytest
import torch

from layerscope.figures.entropy_alone import is_of_entropy_alone


def told(advantages, scale=1.0, of_entropy=0.01, **about):
    """Of 16 states with 3 actions, logits of such a scale, and one advantage or 16 of them."""
    torch.manual_seed(0)
    logits = (scale * torch.randn(16, 3)).requires_grad_()
    policy = torch.distributions.Categorical(logits=logits)
    gains = torch.as_tensor(advantages) * policy.log_prob(policy.sample())
    (-gains.mean() - of_entropy * policy.entropy().mean()).backward()
    values, slopes = logits.detach().double().numpy(), logits.grad.double().numpy()
    return is_of_entropy_alone(values, slopes, **about)


def test_advantages_of_zero_leave_the_entropys_own():
    assert told(0.0) == told(0.0, scale=5) == told(0.0, of_entropy=-1.0) == 1


@pytest.mark.parametrize("advantages", [1e-3, -1.0, np.r_[np.zeros(15), 0.1]])
def test_any_reward_shows(advantages):
    assert told(advantages) == 0


def test_even_chances_and_no_gradient_tell_nothing():
    assert np.isnan(told(0.0, scale=0))
    assert np.isnan(told(0.0, of_entropy=0.0))


def test_an_entropy_that_is_to_fall_may_be_meant_where_no_policy_is_known():
    assert told(0.0, raised=True) == 1
    assert told(0.0, of_entropy=-1.0, raised=True) == 0
