"""Which way scores of another network's outputs are to be drawn is read off their gradients."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from layerscope.record.ends.adversaries import Adversaries

with torch.random.fork_rng():
    torch.manual_seed(0)
    MAKER, JUDGE = nn.Linear(3, 5), nn.Linear(5, 1)
    NOISE = torch.randn(12, 3)


def asked(
    loss_of_judge,
    loss_of_maker,
    judge=JUDGE,
    changed=lambda made: made,
    cut=Tensor.detach,
    noise=NOISE,
):
    """What both passes ask for, each loss one of scores; None is no pass."""
    seen = Adversaries()
    made = MAKER(noise)
    seen.note_made(MAKER, made)
    for loss_of, given in ((loss_of_judge, cut(made)), (loss_of_maker, made)):
        given = changed(given)
        scores = judge(given)
        seen.note_made(judge, scores)
        seen.watch(judge, (given,), scores)
        if loss_of is not None:
            loss_of(scores).backward(retain_graph=True)
    ways = seen.take()
    assert seen.take() is None
    return None if ways is None else tuple(way.get() for way in ways)


def down(scores):
    return scores.exp().mean()


def up(scores):
    return -scores.mean()


def test_the_way_of_each_pass_is_told():
    assert asked(down, up) == (1, -1)
    assert asked(down, down) == (1, 1)
    assert asked(up, up) == (-1, -1)
    assert asked(lambda scores: scores[:6].sum() - scores[6:].sum(), up) == (0, -1)
    judge, maker = asked(None, up)
    assert math.isnan(judge)
    assert maker == -1


def test_of_scores_close_to_each_other_that_a_pass_alone_asks_nothing_is_known():
    """Of a binary cross-entropy of such scores gradients lie on a line, as of a squared error."""
    judge = nn.Linear(5, 1)
    nn.init.constant_(judge.weight, 1e-2)
    nn.init.zeros_(judge.bias)

    def to(label):
        return lambda scores: F.binary_cross_entropy_with_logits(scores, label + 0 * scores)

    assert all(math.isnan(way) for way in asked(to(0.0), None, judge))
    assert all(math.isnan(way) for way in asked(None, to(1.0), judge))
    assert asked(to(0.0), to(1.0), judge) == (0, 0)
    assert asked(to(0.0), to(0.0), judge) == (1, 1)


@pytest.mark.parametrize("offset", [-5.0, 0.0, 5.0])
def test_of_squared_errors_the_targets_tell_and_no_sign(offset):
    def to(label):
        return lambda scores: (scores + offset - label).square().mean()

    assert asked(to(0.0), to(1.0)) == (0, 0)
    assert asked(to(1.0), to(1.0)) == (1, 1)
    assert all(math.isnan(way) for way in asked(None, to(1.0)))  # nothing to compare with


def test_a_generator_and_its_discriminator_may_be_watched_by_two():
    one, other = Adversaries(), Adversaries()
    made = MAKER(NOISE)
    one.note_made(MAKER, made)
    other.watch(JUDGE, (made,), scores := JUDGE(made))
    up(scores).backward()
    assert one.take() is None
    assert other.take()[1].get() == -1
    assert other.watch(JUDGE, (made,), JUDGE(made)) == []  # that step is over


@pytest.mark.parametrize(("samples", "told"), [(7, None), (8, (1, -1))])
def test_few_scores_have_one_sign_by_chance(samples, told):
    assert asked(down, up, noise=NOISE[:samples]) == told


def test_nothing_is_told_of_a_pass_that_is_not_cut_off():
    judge, maker = asked(down, down, cut=lambda made: made)
    assert math.isnan(judge)
    assert maker == 1


@pytest.mark.parametrize(
    "options",
    [{"judge": nn.Linear(5, 2)}, {"judge": MAKER}, {"changed": lambda made: 1 * made}],
    ids=["two outputs", "itself", "changed"],
)
def test_nothing_is_told_of_what_is_no_score_of_what_another_gave(options):
    if options.get("judge") is MAKER:
        options = {"judge": MAKER, "changed": lambda made: made[:, :3]}
    assert asked(down, down, **options) is None


def in_vain(given=Tensor.detach, moved=(MAKER,), judge=JUDGE, apart=False, again=True):
    """Whether a term that the judge makes is in vain, beside one that trains the maker.

    Args:
        given: what the judge gets, of what was made.
        moved: the networks that an optimizer moves afterwards.
        apart: whether each term has a pass of its own.
        again: whether the judge is called again, and moved then.
    """
    seen = Adversaries()
    seen.note_made(MAKER, made := MAKER(NOISE))
    scores = judge(given(made))
    seen.watch(judge, (given(made),), scores)
    if apart:
        scores.sum().backward()
        made.sum().backward()
    else:
        (scores.sum() + made.sum()).backward()
    for module in moved:
        torch.optim.SGD(module.parameters(), lr=0.1).step()
    if again:
        seen.watch(judge, (NOISE,), judge(given(made)))
        torch.optim.SGD(judge.parameters(), lr=0.1).step()
    return seen.take_in_vain()


@pytest.mark.parametrize("again", [True, False])
def test_a_term_of_what_is_cut_off_is_in_vain_where_its_own_network_is_not_moved(again):
    assert in_vain(again=again) is True
    assert in_vain(moved=(MAKER, JUDGE), again=again) is False  # it learns from the same pass
    assert in_vain(moved=(JUDGE,), again=again) is False
    assert in_vain(moved=(), again=again) is False
    assert in_vain(apart=True, again=again) is False
    assert in_vain(given=lambda made: made, again=again) is None  # it reaches the maker


@pytest.mark.parametrize("first", [True, False])
def test_what_is_cut_off_is_known_beside_what_was_given(first):
    beside = nn.Linear(8, 1)

    def joined(made):
        both = made.detach(), NOISE
        return torch.cat(both if first else both[::-1], 1)

    assert in_vain(given=joined, judge=beside) is True
    other = nn.Linear(10, 1)
    assert in_vain(given=lambda _: torch.ones(12, 10), judge=other) is None
    assert in_vain(given=lambda made: torch.cat([made] * 2, 1), judge=other) is None
