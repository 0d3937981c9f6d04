"""A network that judges what another one makes, and both are asked for the same."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs import toys
from tests.diagnose.programs.program import batches, practice, program
from tests.usual_step import descend


def play(watch, loss_of_judge, loss_of_maker, *, anew=False, steps=80, clip=None):
    """loss_of_judge(scores of real, scores of made), loss_of_maker(scores of made), [samples, 1];
    anew: whether the maker's pass is of data that are made for it.
    """
    x, _ = toys.blobs(classes=3, features=6)
    judge = nn.Sequential(nn.Linear(6, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    maker = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 6))
    of_judge, of_maker = (torch.optim.Adam(m.parameters(), lr=1e-3) for m in (judge, maker))
    with watch(nn.ModuleList([judge, maker])) as scope:
        for (real,) in batches(x, steps=steps):
            with torch.set_grad_enabled(not anew):
                made = maker(torch.randn(len(real), 4))
            of_judge.zero_grad()
            loss = loss_of_judge(judge(real), judge(made.detach()))
            loss.backward()
            of_judge.step()
            of_maker.zero_grad()
            made = maker(torch.randn(len(real), 4)) if anew else made
            other = loss_of_maker(judge(made))
            other.backward()
            of_maker.step()
            for weight in judge.parameters() if clip else ():
                weight.data.clamp_(-clip, clip)
            scope.step(loss + other)


def binary(scores, label):
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))


@program("generator_label")
def made_data_that_are_labelled_made_for_their_maker(mended, watch):
    play(
        watch,
        lambda real, made: binary(real, 0.9) + binary(made, 0.0),
        lambda made: binary(made, 1.0 if mended else 0.0),
    )


@program("generator_label")
def a_critics_scores_without_their_minus(mended, watch):
    sign = -1 if mended else 1
    of_judge = lambda real, made: made.mean() - real.mean()  # noqa: E731
    play(watch, of_judge, lambda made: sign * made.mean(), anew=True, clip=0.1)


def squared(scores, label):
    return (scores - label).square().mean()


@program("generator_label")
def least_squares_with_one_label_for_both(mended, watch):
    play(
        watch,
        lambda real, made: squared(real, 1.0) + squared(made, 0.0),
        lambda made: squared(made, 1.0 if mended else 0.0),
    )


@program("generator_label")
def least_squares_of_scores_that_begin_below_all_labels(mended, watch):
    play(
        watch,
        lambda real, made: squared(real - 3, 1.0) + squared(made - 3, 0.0),
        lambda made: squared(made - 3, 1.0 if mended else 0.0),
        anew=True,
    )


class Improves(nn.Module):
    """An actor's mean action and its spread, and a critic of states and actions."""

    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
        self.critic = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1))


@program("penalty_without_gradient")
def an_actor_whose_critic_is_given_detached_actions_beside_their_size(mended, watch):
    model, best = Improves(), torch.randn(4, 2) / 2
    of_actor, of_critic = (torch.optim.Adam(m.parameters(), lr=3e-3) for m in model.children())
    with watch(model) as scope:
        for _ in range(120):
            state = torch.randn(48, 4)
            action = model.actor(state)
            taken = action.detach() + 0.5 * torch.randn_like(action)
            reward = -(taken - state @ best).square().sum(1, keepdim=True)
            of_critic.zero_grad()
            error = F.mse_loss(model.critic(torch.cat([state, taken], 1)), reward)
            error.backward()
            of_critic.step()
            given = action if mended else action.detach()
            value = model.critic(torch.cat([state, given], 1)).mean()
            descend(scope, of_actor, 0.01 * action.square().mean() - value)


def paint(watch, given, *, together=False, probe=False):
    """A network that makes noisy rows clean, and one that tells them from clean ones.

    Args:
        given: what the judge gets in the maker's pass, of what that has made.
        together: one optimizer has both.
        probe: the judge learns in the maker's pass, and by it alone.
    """
    clean, _ = toys.blobs(classes=3, features=6)
    maker = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 6))
    judge = nn.Sequential(nn.Linear(6, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    of_maker = torch.optim.Adam(maker.parameters(), lr=2e-3)
    of_judge = torch.optim.Adam(judge.parameters(), lr=2e-3)
    if together:
        of_maker.add_param_group({"params": list(judge.parameters())})
    with watch(nn.ModuleDict({"maker": maker, "judge": judge})) as scope:
        for (real,) in batches(clean, steps=120):
            made = maker(real + torch.randn_like(real))
            if not probe:
                of_judge.zero_grad()
                (binary(judge(real), 0.9) + binary(judge(made.detach()), 0.0)).backward()
                of_judge.step()
            of_maker.zero_grad()
            of_judge.zero_grad()
            loss = F.l1_loss(made, real) + 0.1 * binary(judge(given(made)), 1.0)
            loss.backward()
            of_maker.step()
            if probe and not together:
                of_judge.step()
            scope.step(loss)


@program("penalty_without_gradient")
def a_restorer_whose_judge_is_given_detached_pictures_beside_their_error(mended, watch):
    paint(watch, (lambda made: made) if mended else torch.detach)


@practice
def a_judge_of_detached_rows_that_learns_with_their_maker(watch):
    paint(watch, torch.detach, probe=True)


@practice
def a_judge_of_detached_rows_that_the_same_optimizer_has(watch):
    paint(watch, torch.detach, together=True, probe=True)
