"""A policy and its critic: which of the two is ill."""

import pytest
import torch
from torch import nn

from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import Program
from tests.usual_step import descend


class Agent(nn.Module):
    """As of advantage actor-critic (Mnih et al. 2016), with a body of its own for each."""

    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
        self.critic = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))

    def forward(self, x):
        return self.actor(x), self.critic(x)


@pytest.mark.parametrize("ill", ["critic", "actor"])
def test_a_saturated_policy_is_warned_of_and_a_saturated_critic_is_not(ill):
    def run(_, watch):
        torch.manual_seed(0)
        agent = Agent()
        with torch.no_grad():
            getattr(agent, ill)[0].weight *= 100
        optimizer = torch.optim.Adam(agent.parameters(), 1e-3)
        with watch(agent) as watcher:
            for _ in range(20):
                x = torch.randn(32, 4)
                logits, value = agent(x)
                drawn = torch.distributions.Categorical(logits=logits)
                action = drawn.sample()
                returns = ((x[:, 0] > 0) == action.bool()).float()
                advantage = returns - value[:, 0].detach()
                policy = -(drawn.log_prob(action) * advantage).mean()
                loss = policy + (value[:, 0] - returns).square().mean() / 2
                descend(watcher, optimizer, loss)

    told = [f for f in judged(Program("", run), mended=False) if f.rule == "saturated"]
    if ill == "critic":
        assert told == []
    else:
        (only,) = told
        assert (only.severity, ill in only.layer) == ("critical", True)
