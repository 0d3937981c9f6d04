"""Heads that a view has cut out of queries are told from those for which axes were exchanged."""

import pytest
import torch
from torch import nn

from layerscope.record.attention.product_operands import are_by_view

QUERIES, ALL = (nn.Linear(32, width)(torch.randn(4, 10, 32)) for width in (32, 96))

WRONG = (
    lambda q, _: q.view(4 * 8, -1, 4),
    lambda q, _: q.view(4, 8, 10, 4),
    lambda q, _: q.reshape(4, 8, 10, 4) / 2,
    lambda _, qkv: qkv.chunk(3, -1)[0].reshape(4, 8, 10, 4),
)
RIGHT = (
    lambda q, _: q.view(4, 10, 8, 4).transpose(1, 2),
    lambda q, _: q.view(4, 10, 8, 4).permute(0, 2, 1, 3).reshape(32, 10, 4),
    lambda q, _: q.unflatten(-1, (8, 4)).transpose(1, 2),
    lambda _, qkv: qkv.view(4, 10, 3, 8, 4).permute(2, 0, 3, 1, 4)[0],
    lambda q, _: q.transpose(0, 1).reshape(10, 32, 4).transpose(0, 1),
    lambda q, _: q,
    lambda q, _: q.view(4, 1, 10, 32),  # one head
    lambda q, _: q.view(4, 2, 5, 32),  # windows of the rows
    lambda q, _: q.detach().view(4, 8, 10, 4),
)


@pytest.mark.parametrize("cut", WRONG)
def test_a_view_alone_is_told_of(cut):
    assert are_by_view(cut(QUERIES, ALL))


@pytest.mark.parametrize("cut", RIGHT)
def test_axes_that_are_exchanged_are_not(cut):
    assert not are_by_view(cut(QUERIES, ALL))


@pytest.mark.parametrize(("rows", "is_told"), [(1, False), (7, True), (8, False)])
def test_of_one_row_nothing_is_mixed_and_of_as_many_rows_as_heads_nothing_is_known(rows, is_told):
    assert are_by_view(nn.Linear(32, 32)(torch.randn(4, rows, 32)).view(4, 8, rows, 4)) == is_told
