"""A network that judges what another one makes, and both are asked for the same."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.program import batches, blobs, program


def play(watch, loss_of_judge, loss_of_maker, *, anew=False, steps=80, clip=None):
    """loss_of_judge(scores of real, scores of made), loss_of_maker(scores of made), [samples, 1];
    anew: whether the maker's pass is of data that are made for it.
    """
    x, _ = blobs(classes=3, features=6)
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
