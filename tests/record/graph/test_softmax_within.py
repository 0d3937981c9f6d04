"""A softmax within a network that runs along the samples of the batch is known by its graph."""

import pytest
import torch
from torch import nn

from layerscope.record.graph.axes_of_step import SoftmaxWithin
from layerscope.record.graph_nodes import behind
from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import Program
from tests.usual_step import descend

X = torch.randn(6, 4, 3)  # [samples, places, features]
SCORE, OUT = nn.Linear(3, 1), nn.Linear(3, 2)
WEIGHTS = nn.Parameter(torch.randn(6, 4))
FIRST = nn.Linear(3, 3)(X[:, 0])


def pooled(weights, x=X):
    return OUT((weights.view(*x.shape[:2], 1) * x).sum(1))


def scores(x=X):
    return SCORE(x).squeeze(-1)


def over_samples(inputs, output):
    seen = SoftmaxWithin()
    seen.begin(inputs)
    seen.note_returned(output)
    for node in behind(output.grad_fn, ()):
        seen.see(node)
    return seen.over_samples


@pytest.mark.parametrize(
    "output",
    [
        pooled(scores().softmax(0)),
        pooled(scores().softmax(-2)),
        pooled(SCORE(X).softmax(0)),
        pooled(scores().softmax(0))[:, 0],
        pooled(scores(X[:, :2]).softmax(0), X[:, :2]),  # of two places
    ],
)
def test_one_along_the_samples_is_known(output):
    assert over_samples([X], output)


def test_one_of_the_products_of_a_query_with_keys_is_known_and_tokens_have_samples_too():
    products = (FIRST[:, None] @ SCORE(X).expand(X.shape).mT).squeeze(1)
    assert over_samples([X], pooled(products.softmax(0)))
    assert not over_samples([X], pooled(products.softmax(1)))
    assert over_samples([torch.ones(6, 4, dtype=torch.long)], pooled(scores().softmax(0)))
    time_first = [torch.ones(4, 6, dtype=torch.long)]
    assert not over_samples(time_first, pooled(scores().softmax(0)))


@pytest.mark.parametrize(
    ("inputs", "output"),
    [
        ([X], pooled(scores().softmax(1))),
        ([X], pooled(WEIGHTS.softmax(0))),
        ([X], pooled((scores()[..., None] @ SCORE(X).mT * 0.5).softmax(0).mean(2))),
        ([X], OUT((scores().softmax(0)[..., None] * X).sum(0))),  # time first
        ([X], OUT(X) * scores().softmax(0)[..., None]),  # a row for each place
        ([X, torch.ones(6, 6)], pooled(scores().softmax(0))),  # nodes of a graph
        *(([X, torch.ones(rows, 9)], pooled(scores().softmax(0))) for rows in (2, 7)),
        ([X], pooled(scores().mT.softmax(0).mT.contiguous())),  # the right one, which is turned
        ([X], OUT(X[:, 0]) * scores().mean(1).softmax(0)[:, None]),  # a set's weights
        ([X], OUT((FIRST @ FIRST.mT).softmax(0) @ FIRST)),  # each sample with each
        ([X], OUT(X[:, 0]) * SCORE(X[:, 0]).softmax(0)),  # a set's weights, one for each
    ],
)
def test_one_along_what_may_be_another_axis_is_not(inputs, output):
    assert not over_samples(inputs, output)


class Pool(nn.Module):
    def __init__(self, axis):
        super().__init__()
        self.score, self.out, self.axis = nn.Linear(3, 1), nn.Linear(3, 2), axis

    def forward(self, x):
        weights = self.score(x).squeeze(-1).softmax(self.axis)
        return self.out((weights[..., None] * x).sum(1))


@pytest.mark.parametrize(("axis", "rules"), [(0, ["softmax_over_batch"]), (1, [])])
def test_it_is_told_of(axis, rules):
    def run(_, watch):
        network, y = Pool(axis), torch.randint(2, (6,))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        with watch(network) as scope:
            for _ in range(12):
                descend(scope, optimizer, nn.functional.cross_entropy(network(X), y))

    found = judged(Program("", run), mended=False)
    assert [each.rule for each in found] == rules
    assert all("within the network" in each.explanation for each in found)


class Halting(nn.Module):
    """Gives a probability of each of four steps: of its outputs, [steps, samples] or turned."""

    def __init__(self, axis, steps_first):
        super().__init__()
        self.out, self.axis, self.steps_first = nn.Linear(5, 4), axis, steps_first

    def forward(self, x):
        p = self.out(x).softmax(self.axis)
        return p.T if self.steps_first else p


@pytest.mark.parametrize(
    ("axis", "steps_first", "rules"),
    [(1, True, []), (1, False, []), (0, False, ["softmax_over_batch"])],
)
def test_rows_that_are_no_samples_may_add_up_to_1_along_the_first_axis(axis, steps_first, rules):
    def run(_, watch):
        network = Halting(axis, steps_first)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        with watch(network) as scope:
            for _ in range(12):
                x = torch.randn(32, 5)
                costs = torch.stack([x[:, 0], x[:, 1], -x[:, 0], x[:, 2]], 1)
                p = network(x)
                loss = ((p.T if steps_first else p) * costs).sum(1).mean() + 2
                descend(scope, optimizer, loss)

    assert [each.rule for each in judged(Program("", run), mended=False)] == rules
