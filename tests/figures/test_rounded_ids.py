"""Numbers of things that a short type has rounded."""

import pytest
import torch
from torch import nn

from layerscope.figures.token_ids import RoundedIds
from layerscope.record.ends.token_inputs import TokenInputs

IDS = torch.arange(4000)


def rounded(dtype):
    return IDS.to(dtype).long()


@pytest.mark.parametrize(
    ("ids", "up_to"),
    [
        (rounded(torch.bfloat16), 256),
        (rounded(torch.float16), 2048),
        (IDS, 0),
        (rounded(torch.bfloat16).clamp(max=256), 0),
        (torch.tensor([999, 1001, 998]).to(torch.bfloat16).long(), 0),  # too few to say
    ],
)
def test_all_that_a_type_can_hold_were_rounded_by_it(ids, up_to):
    assert RoundedIds().see([(0, ids)]) == up_to


def test_one_number_that_it_cannot_hold_is_enough_for_good():
    seen = RoundedIds()
    looks = (rounded(torch.bfloat16), torch.tensor([257, 2049]), rounded(torch.bfloat16))
    assert [seen.see([(0, ids)]) for ids in looks] == [256, 0, 0]


def test_each_embedding_is_looked_at_by_itself():
    assert RoundedIds().see([(0, IDS), (1, rounded(torch.bfloat16))]) == 256


def test_the_numbers_that_a_large_embedding_gets_are_kept_whatever_their_axes():
    seen, items, small = TokenInputs(lambda: True), nn.Embedding(4000, 2), nn.Embedding(200, 2)
    seen.attach([items, small])
    items(IDS)
    small(IDS[:50])
    ((embedding, numbers),) = seen.take_numbers()
    assert embedding == 0
    assert numbers.get().equal(IDS)
    assert seen.take_numbers() == ()
