"""What is told of queries and keys that were made alike of the data at each place."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from layerscope.record.attention.attention import Attention
from layerscope.record.attention.placeless import are_placeless, has_no_order
from layerscope.record.ends.first_step import OrderRead

TOKENS = torch.tensor([[3, 1, 4, 1], [5, 9, 2, 6], [5, 3, 5, 8]])
NUMBERS = torch.rand(3, 4, 2)
WORDS, LINEAR, NORM = nn.Embedding(10, 8), nn.Linear(2, 8), nn.LayerNorm(8)
PLACES = nn.Parameter(torch.rand(4, 8))
CLASS = nn.Parameter(torch.rand(1, 1, 8))
DATES = torch.cat([NUMBERS, torch.rand(3, 1, 1) + torch.arange(4.0)[:, None]], 2)
BEHIND_PADDING = torch.tensor([[0, 0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 4]])

SAME = (
    lambda: WORDS(TOKENS),
    lambda: WORDS(TOKENS).transpose(0, 1),
    lambda: NORM(F.dropout(8**0.5 * WORDS(TOKENS), 0.5)),
    lambda: WORDS(TOKENS) + WORDS(torch.zeros_like(TOKENS)),
    lambda: LINEAR(NUMBERS).relu(),
    lambda: F.linear(NORM(LINEAR(NUMBERS)), torch.rand(8, 8, requires_grad=True)),
    lambda: torch.cat([CLASS.expand(3, -1, -1), WORDS(TOKENS)], 1),
    lambda: WORDS(TOKENS) * (TOKENS > 2)[..., None],
    lambda: WORDS(TOKENS) * WORDS(TOKENS).sigmoid(),
)
TOLD = (
    lambda: WORDS(TOKENS) + PLACES,
    lambda: WORDS(TOKENS) + PLACES.detach(),
    lambda: PLACES.detach() * WORDS(TOKENS),
    lambda: WORDS(TOKENS) * PLACES.sin(),
    lambda: WORDS(TOKENS) + WORDS(torch.arange(4)),
    lambda: WORDS(TOKENS) + WORDS(torch.arange(4).expand(3, 4)),
    lambda: WORDS(TOKENS) + WORDS(BEHIND_PADDING),
    lambda: torch.cat([PLACES.expand(3, 4, 8), WORDS(TOKENS)], 2),
    lambda: nn.Conv1d(2, 8, 3, padding=1)(NUMBERS.mT).mT,
    lambda: WORDS(TOKENS).cumsum(1),
    lambda: nn.Linear(3, 8)(DATES),
    lambda: PLACES[None] + 0.0,
    lambda: CLASS.expand(3, 4, 8),
    lambda: NUMBERS,
)


@pytest.mark.parametrize("made", SAME)
def test_what_is_made_alike_at_each_place_knows_of_none(made):
    assert are_placeless(made())


@pytest.mark.parametrize("made", TOLD)
def test_what_differs_from_place_to_place_does(made):
    assert not are_placeless(made())


@pytest.mark.parametrize(
    ("mask", "is_so"),
    [
        (None, True),
        (torch.rand(3, 1, 1, 4) > 0.5, True),
        ((torch.rand(3, 1, 1, 4) > 0.5).expand(3, 1, 4, 4), True),
        ((torch.arange(4) < 3).repeat(4, 1), True),
        (torch.ones(4, 4).tril(), False),
    ],
)
def test_a_mask_of_padding_has_no_order_and_a_causal_one_has(mask, is_so):
    assert has_no_order(mask) == is_so


def attended(by_hand, scores=lambda z: z, **asked):
    """What is told of an attention of tokens."""
    sight, h = Attention(), WORDS(TOKENS)
    sight.begin(exact=True)
    if not by_hand:
        function = F.scaled_dot_product_attention
        return sight.measure(function, (h, h, h), asked, function(h, h, h, **asked)).placeless
    z = torch.matmul(h, h.mT)
    sight.measure(torch.matmul, (h, h.mT), {}, z)
    if (after := scores(z)) is not z:
        sight.measure(torch.add, (z, after - z), {}, after)
    weights = after.softmax(-1)
    sight.measure(torch.softmax, (after, -1), {}, weights)
    return sight.measure(torch.matmul, (weights, h), {}, weights @ h).placeless


def test_an_attention_s_mask_or_a_bias_of_distances_tells_of_places():
    assert attended(by_hand=False)
    assert not attended(by_hand=False, is_causal=True)
    assert not attended(by_hand=False, attn_mask=torch.ones(4, 4).tril().bool())
    assert attended(by_hand=True)
    assert not attended(by_hand=True, scores=lambda z: z + torch.rand(4, 4))


@pytest.mark.parametrize(
    ("end", "is_read"),
    [
        (lambda h: h.mean(1), False),
        (lambda h: h[:, -1], False),
        (lambda h: nn.Linear(8, 2)(h).sum(1), False),
        (lambda h: nn.Linear(32, 2)(h.flatten(1)), True),
        (lambda h: nn.Linear(32, 2)(h.transpose(1, 2).flatten(1)), True),
        (lambda h: nn.Conv1d(8, 2, 3)(h.mT).mean(2), True),
        (lambda h: nn.LSTM(8, 2, batch_first=True)(h)[0][:, -1], True),
    ],
)
def test_what_reads_a_sequence_by_its_places_is_seen_in_the_graph(end, is_read):
    order, waiting, seen = OrderRead(), [end(WORDS(TOKENS)).grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            order.see(node)
            waiting += [before for before, _ in node.next_functions]
    assert order.is_any == is_read
