"""Which losses take numbers of the outputs' shape for probabilities?"""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph.softmax_in_loss import is_mean_of_torch, takes_shares

SHARES = torch.rand(8, 3).softmax(1)
LABELS = torch.randint(3, (8,))

OF_SHARES = {
    "torch's": lambda z: F.cross_entropy(z, SHARES),
    "its sum": lambda z: F.cross_entropy(z, SHARES, reduction="sum") / 4,
    "each": lambda z: F.cross_entropy(z, SHARES, reduction="none").mean(),
    "by hand": lambda z: -(SHARES * z.log_softmax(1)).sum(1).mean(),
}
OTHERS = {
    "of classes": lambda z: F.cross_entropy(z, LABELS),
    "of weights": lambda z: F.cross_entropy(z, SHARES, weight=torch.rand(3)),
    "of another term": lambda z: F.cross_entropy(z, SHARES) + z.square().mean(),
    "of a divergence": lambda z: F.kl_div(z.log_softmax(1), SHARES, reduction="sum"),
    "of a part": lambda z: F.cross_entropy(z[:, :2], SHARES[:, :2]),
    "of its own shares": lambda z: -(z.log_softmax(1) * z.softmax(1)).sum(1).mean(),
    "of no softmax": lambda z: -(SHARES * z).sum(1).mean(),
}


@pytest.mark.parametrize("name", [*OF_SHARES, *OTHERS])
def test_a_cross_entropy_of_shares_is_told_by_its_graph(name):
    outputs, z = MarkedOutputs(), 1 * torch.randn(8, 3, requires_grad=True)
    outputs.note(z)
    loss = (OF_SHARES | OTHERS)[name](z)
    assert takes_shares(loss.grad_fn, outputs) == (name in OF_SHARES)
    assert is_mean_of_torch(loss.grad_fn) == (name in ("torch's", "of weights", "of a part"))
