"""A network that is compared with itself, both with a gradient, gets none and is told of."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.diagnose.programs.judged import judged
from tests.diagnose.programs.program import Program


def found(old_of):
    """Rules and explanations of a loss of the ratio of new and old probabilities."""

    def run(_, watch):
        x, gains = torch.randn(32, 4), torch.randn(32, 1)
        network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        with watch(network) as scope:
            for _ in range(30):
                optimizer.zero_grad()
                now, old = (F.log_softmax(network(x), 1)[:, :1] for _ in range(2))
                loss = -((now - old_of(old)).exp() * gains).mean()
                loss.backward()
                optimizer.step()
                scope.step(loss)

    findings = judged(Program("", run), mended=False)
    return " ".join(f"{each.rule} {each.explanation}" for each in findings)


def test_a_policy_compared_with_itself_is_told_of():
    assert "no_gradient the gradients that come to the outputs" in found(lambda old: old)
    assert found(torch.Tensor.detach) == ""
