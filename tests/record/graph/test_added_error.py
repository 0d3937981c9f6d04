"""Of which output does a loss add a mean square, with no factor?"""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from layerscope.record.graph.criterion_in_loss import added_mean_square
from layerscope.record.graph.marked_outputs import MarkedOutputs
from layerscope.record.graph_nodes import behind

Y, LABELS = torch.randn(8, 1), torch.randint(3, (8,))

ADDED = {
    "torch's": lambda p, z: F.mse_loss(p, Y) + F.cross_entropy(z, LABELS),
    "by hand": lambda p, z: z.square().sum() + ((p - Y) ** 2).mean(),
    "the other way round": lambda p, z: ((Y - p) ** 2).mean() + z.sum(),
    "of a column": lambda p, z: F.mse_loss(p.squeeze(1), Y[:, 0]) + z.sum() + z.abs().sum(),
}
OTHERS = {
    "alone": lambda p, _: F.mse_loss(p, Y),
    "a sum": lambda p, z: F.mse_loss(p, Y, reduction="sum") + z.sum(),
    "with a factor": lambda p, z: 2 * F.mse_loss(p, Y) + z.sum(),
    "added with one": lambda p, z: torch.add(z.sum(), F.mse_loss(p, Y), alpha=3),
    "beside another term of it": lambda p, _: F.mse_loss(p, Y) + p.diff(dim=0).abs().mean(),
    "beside one of its column": lambda p, _: F.mse_loss(q := p[:, 0], Y[:, 0]) + q.abs().mean(),
    "broadcast": lambda p, z: ((p.expand(8, 3) - Y) ** 2).mean() + z.sum(),
    "of a cube": lambda p, z: ((p - Y) ** 3).mean() + z.sum(),
    "of two outputs": lambda p, z: F.mse_loss(p, z[:, :1]) + z.sum(),
    "of a function": lambda p, z: F.mse_loss(p.exp(), Y) + z.sum(),
}


@pytest.mark.parametrize("name", [*ADDED, *OTHERS])
def test_an_added_mean_square_is_told_by_its_graph(name):
    outputs = MarkedOutputs()
    p, z = torch.randn(8, 1, requires_grad=True).sigmoid(), 1 * torch.randn(8, 3).requires_grad_()
    for each in (p, z):
        outputs.note(each)
    loss = (ADDED | OTHERS)[name](p, z).grad_fn
    told = added_mean_square(loss, behind(loss, outputs), outputs)
    assert told == (("sigmoid", 8) if name in ADDED else None)


def test_of_two_outputs_that_are_alike_none_is_told():
    outputs = MarkedOutputs()
    p, q = (torch.randn(8, 1, requires_grad=True).sigmoid() for _ in range(2))
    for each in (p, q):
        outputs.note(each)
    loss = (F.mse_loss(p, Y) + q.sum()).grad_fn
    assert added_mean_square(loss, behind(loss, outputs), outputs) is None
