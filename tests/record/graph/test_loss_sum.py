"""What a loss adds up is read off its graph."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.loss_graph import LearnedWeights
from layerscope.record.graph.loss_sum import sum_of
from layerscope.record.graph.marked_outputs import MarkedOutputs

SCORES = torch.randn(12, 3, requires_grad=True)
LABELS = torch.arange(12) % 3
X = torch.randn(12, requires_grad=True)
W = nn.Parameter(torch.ones(2))


def told(loss_of):
    """Of loss_of(scores [12, 3]), an output of a network."""
    outputs, scores = MarkedOutputs(), 1 * SCORES
    outputs.note(scores)
    return sum_of(loss_of(scores).grad_fn, outputs)


def entropy(scores):
    return F.cross_entropy(scores, LABELS)


def error(scores):
    return scores[:, 0].square().mean()


@pytest.mark.parametrize(
    "loss_of",
    [
        lambda s: entropy(s) + torch.tensor(0.3),
        lambda s: torch.tensor(0.3) + entropy(s),
        lambda s: (s[:, 0].mean() - s[:, 1].mean() + 2 * torch.tensor(0.3)) / 2,
        lambda s: sum([entropy(s), torch.tensor(0.3), error(s)]),
        lambda s: entropy(s) + X.square().mean(),
    ],
    ids=["last", "first", "beside two terms", "in a sum", "of data that require a gradient"],
)
def test_a_number_among_the_terms_is_seen(loss_of):
    assert told(loss_of).adds_number


@pytest.mark.parametrize(
    "loss_of",
    [
        entropy,
        lambda s: sum([entropy(s), error(s)]),  # which begins with 0
        lambda s: 1 - F.cosine_similarity(s, torch.ones(12, 3)).mean(),
        lambda s: F.relu(0.2 + s[:, 0] - s[:, 1]).mean(),
        lambda s: (s[:, 0] - LABELS).square().mean() + W.square().sum(),
    ],
    ids=["one term", "a sum", "a cosine", "a margin", "a penalty of weights"],
)
def test_targets_margins_and_the_start_of_a_sum_are_no_such_numbers(loss_of):
    assert not told(loss_of).adds_number


@pytest.mark.parametrize(
    ("loss_of", "plain"),
    [
        (lambda s: W[0] * entropy(s) + error(s) * W[1], True),
        (lambda s: (W * torch.stack([entropy(s), error(s)])).sum(), True),
        (lambda s: (-W[0]).exp() * entropy(s) + error(s), False),
        (lambda s: entropy(s) / (2 * W[0] ** 2), False),
    ],
)
def test_a_parameter_that_multiplies_a_term_and_stands_nowhere_else_is_free(loss_of, plain):
    assert told(loss_of).free == ((W, plain),)


@pytest.mark.parametrize(
    "loss_of",
    [
        lambda s: (-W[0]).exp() * entropy(s) + W[0],
        lambda s: entropy(s) / W[0] ** 2 + (1 + W[0] ** 2).log(),
        lambda s: (W.softmax(0) * torch.stack([entropy(s), error(s)])).sum(),
        lambda s: entropy(W[0].exp() * s),
        lambda s: (W[0] * s).mean(),
        lambda s: W.detach()[0] * entropy(s),
    ],
    ids=["s", "its logarithm", "a softmax", "a temperature", "of an output", "a number"],
)
def test_a_weight_that_is_held_or_of_no_term_is_not(loss_of):
    assert told(loss_of).free == ()


def test_the_bias_of_a_head_far_behind_a_likelihood_is_no_weight_of_its_terms():
    """What makes such a factor is more than is walked through: of counts, as DeepAR has them."""
    heads, outputs = [nn.Linear(3, 1) for _ in range(2)], MarkedOutputs()
    z = (1 * SCORES).reshape(6, 2, 3).transpose(0, 1)
    mean, excess = (F.softplus(head(z))[..., 0] * torch.ones(2, 1) + 1e-4 for head in heads)
    for each in (mean, excess):
        outputs.note(each)
    r = 1 / excess
    likelihood = torch.lgamma(r) + r * (r / (r + mean)).log()
    assert sum_of((-likelihood.mean()).grad_fn, outputs).free == ()


def test_a_weight_has_moved_once_all_of_it_has_fallen_or_gone_against_its_gradient():
    for plain, grad, after, so in (
        (True, None, [0.9, 0.8], True),
        (True, None, [0.9, 1.1], False),
        (False, [1.0, -1.0], [0.9, 1.1], True),
        (False, [1.0, 1.0], [0.9, 1.1], False),
        (False, None, [0.9, 0.9], False),
    ):
        weights, looks = nn.Parameter(torch.ones(2)), LearnedWeights()
        weights.grad = None if grad is None else torch.tensor(grad)
        assert not looks.compare([(weights, plain)]).get()
        weights.data = torch.tensor(after)
        assert looks.compare([(weights, plain)]).get() == so
    assert looks.compare([]) is None


S = torch.zeros(2, requires_grad=True)  # no parameter


@pytest.mark.parametrize(
    ("loss_of", "leaves"),
    [
        (lambda s: torch.exp(-S[0]) * entropy(s) + S[0], {S}),
        (lambda s: W[0] * entropy(s) + W[1] * error(s), {W}),
        (lambda s: entropy(s) + 0.1 * S[0] ** 2, {S}),
        (lambda s: entropy(s) + torch.zeros((), requires_grad=True), set()),
        (lambda s: entropy(s) + X.square().mean(), set()),
        (lambda s: entropy(s) + (X * (s[:, 0] - s[:, 1]).exp()).sum(), set()),
        (lambda s: entropy(s) + (s @ torch.ones(3) * 2).mean(), set()),
    ],
    ids=[
        "a factor and a term",
        "factors",
        "a term",
        "the start of a sum",
        "data",
        "a factor of data",
        "outputs alone",
    ],
)
def test_small_leaves_that_the_loss_is_made_of_are_known(loss_of, leaves):
    found = told(loss_of).leaves
    assert {id(each) for each in found} == {id(each) for each in leaves}


def test_a_weight_beside_the_network_is_no_number_that_is_added():
    assert not told(lambda s: torch.exp(-S[0]) * entropy(s) + S[0]).adds_number


def test_a_number_that_makes_one_term_large_and_the_other_small_is_held():
    assert told(lambda s: S[:1] * entropy(s)).free
    one = torch.zeros(1, requires_grad=True)
    assert told(lambda s: torch.exp(-one) * entropy(s) + torch.exp(one) * error(s)).free == ()
    assert told(lambda s: W[0] * entropy(s) + W[1] * error(s)).free
