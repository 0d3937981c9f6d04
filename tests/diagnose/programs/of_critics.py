"""Critics that nothing bounds, and returns that are added up from the wrong end."""

import torch
from torch import nn

from tests.diagnose.programs.program import program
from tests.usual_step import descend


def adam(those):
    return torch.optim.Adam(those, 1e-3, betas=(0.5, 0.9))


def play(watch, judge, maker, true, bound):
    of_judge, of_maker = adam(judge.parameters()), adam(maker.parameters())
    with watch(judge) as scope:
        for step in range(700):
            real, false = true(64), maker(torch.randn(64, 4))
            loss = judge(false.detach()).mean() - judge(real).mean()
            loss = loss + bound(judge, real, false.detach())
            descend(scope, of_judge, loss)
            if step % 5 == 4:
                of_maker.zero_grad()
                (-judge(maker(torch.randn(64, 4))).mean()).backward()
                of_maker.step()


def network(inputs, outputs):
    return nn.Sequential(
        *(nn.Linear(inputs, 32), nn.LeakyReLU(0.2)),
        *(nn.Linear(32, 32), nn.LeakyReLU(0.2)),
        nn.Linear(32, outputs),
    )


def circle(count):
    angle = 6.2832 * torch.rand(count)
    return 3 * torch.stack([angle.cos(), angle.sin()], 1)


def steepness(judge, real, false):
    between = real + torch.rand(len(real), 1) * (false - real)
    between.requires_grad_()
    (slopes,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
    return 10 * (slopes.norm(dim=1) - 1).square().mean()


@program("negative_loss")
def a_critic_without_its_penalty(mended, watch):
    bound = steepness if mended else lambda *_: 0
    play(watch, network(2, 1), network(4, 2), circle, bound)


@program("negative_loss")
def a_critic_that_nobody_clips(mended, watch):
    def clip(judge, *_):
        if mended:
            for each in judge.parameters():
                each.data.clamp_(-0.05, 0.05)
        return 0

    def corners(count):
        return 2 * torch.randint(2, (count, 3)) - 1 + 0.1 * torch.randn(count, 3)

    play(watch, network(3, 1), network(4, 3), corners, clip)


@program("loss_not_falling", blind="returns that are wrong are numbers as others are")
def returns_from_the_wrong_end(mended, watch):
    policy = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    with watch(policy) as scope:
        for _ in range(150):
            states = torch.randn(16, 12, 3)
            logits = policy(states.flatten(0, 1))
            chosen = torch.distributions.Categorical(logits=logits)
            actions = chosen.sample()
            rewards = (actions == (states[:, :, 0].flatten() > 0)).float().view(16, 12)
            returns = rewards.cumsum(1) if not mended else rewards.flip(1).cumsum(1).flip(1)
            returns = (returns - returns.mean(0)).flatten()
            loss = -(chosen.log_prob(actions) * returns).mean()
            descend(scope, optimizer, loss)
