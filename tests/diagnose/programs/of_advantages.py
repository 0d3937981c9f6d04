"""Policies whose rewards are lost on the way."""

import torch
from torch import nn

from tests.diagnose.programs.program import program
from tests.usual_step import descend


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
            descend(scope, optimizer, loss)


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


class Acts(nn.Module):
    """Logits of two actions, and a value."""

    def __init__(self, width=24, states=6, shared=True):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(states, width), nn.Tanh())
        self.other = self.body if shared else nn.Sequential(nn.Linear(states, width), nn.Tanh())
        self.actions, self.value = nn.Linear(width, 2), nn.Linear(width, 1)

    def forward(self, states):
        return self.actions(self.body(states)), self.value(self.other(states)).squeeze(-1)


def corridor(watch, model, optimizer, stored, updates=120, walkers=24, steps=20):
    """Walks to the sixth place of a corridor, where a reward of 1 ends the episode; of each step
    stored(reward before, reward now, ended) is kept.
    """
    at, before = torch.zeros(walkers, dtype=torch.long), torch.zeros(walkers)
    with watch(model) as scope:
        for _ in range(updates):
            states, actions, rewards, ends = [], [], [], []
            for _ in range(steps):
                states.append(torch.eye(6)[at])
                with torch.no_grad():
                    actions.append(model(states[-1])[0].softmax(1).multinomial(1)[:, 0])
                at = (at + 2 * actions[-1] - 1).clamp(min=0)
                ended = at == 5
                reward = ended.float()
                rewards.append(stored(before, reward, ended))
                before = torch.where(ended, 0.0, reward)
                ends.append(ended)
                at = torch.where(ended, 0, at)
            total, returns = torch.zeros(walkers), []
            for reward, ended in zip(rewards[::-1], ends[::-1], strict=True):
                total = reward + 0.95 * total * ~ended
                returns.insert(0, total)
            logits, values = model(torch.cat(states))
            gains = torch.cat(returns) - values.detach()
            gains = (gains - gains.mean()) / (gains.std() + 1e-8)
            chosen = logits.log_softmax(1).gather(1, torch.cat(actions)[:, None])[:, 0]
            error = (values - torch.cat(returns)).square().mean()
            descend(scope, optimizer, 0.5 * error - (chosen * gains).mean())


@program("one_class", follows=("loss_not_falling",))
def the_reward_of_the_step_before_is_stored(mended, watch):
    model = Acts(shared=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    corridor(watch, model, optimizer, lambda before, now, _: now if mended else before)


@program("one_class", follows=("loss_not_falling",))
def the_end_of_an_episode_takes_its_reward_with_it(mended, watch):
    model = Acts(width=32)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    corridor(watch, model, optimizer, lambda _, now, ended: now if mended else now * ~ended)
