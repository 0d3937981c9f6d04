"""Policies whose rewards are lost on the way."""

import torch
from torch import nn

from tests.diagnose.programs.program import program


def contexts(watch, model, advantages_of, lr, steps=150):
    """Which of three actions is right goes by the state; advantages_of(rewards [episodes, 20])."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    with watch(model) as scope:
        for _ in range(steps):
            states = torch.randn(4, 20, 4)
            policy = torch.distributions.Categorical(logits=model(states))
            actions = policy.sample()
            rewards = (states[..., :3].argmax(-1) == actions).float()
            gains = advantages_of(rewards) * policy.log_prob(actions)
            loss = -gains.mean() - 0.01 * policy.entropy().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scope.step(loss)


@program("penalty_without_gradient")
def advantages_that_are_normalised_one_by_one(mended, watch):
    model = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 3))

    def advantages_of(rewards):
        rewards = rewards[..., None]
        axis = (0, 1) if mended else (2,)
        gains = rewards - rewards.mean(axis, keepdim=True)
        return (gains / (rewards.std(axis, unbiased=False, keepdim=True) + 1e-6))[..., 0]

    contexts(watch, model, advantages_of, lr=5e-3)


@program("penalty_without_gradient")
def a_group_of_one_answer(mended, watch):
    model = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 3))

    def advantages_of(rewards):
        groups = rewards.reshape(-1, 10 if mended else 1)
        return (groups - groups.mean(1, keepdim=True)).reshape(rewards.shape)

    contexts(watch, model, advantages_of, lr=3e-3)
