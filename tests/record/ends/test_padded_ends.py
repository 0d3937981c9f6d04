"""Padding at the end of sequences counts where a recurrent layer's last step alone is read."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from layerscope.record.ends.token_inputs import PaddedEnds

LENGTHS = torch.tensor([1, 2, 2, 3, 5, 8])
INPUTS = torch.randn(6, 8, 3) * (torch.arange(8) < LENGTHS[:, None])[:, :, None]
SHARE = float((8 - LENGTHS).sum()) / 48


def share(read, inputs=INPUTS, layer=None, tokens=None):
    """Of a recurrent layer of which `read(output, state)` goes into the loss."""
    layer = layer or nn.GRU(3, 4, batch_first=True)
    ends = PaddedEnds(lambda shape: tokens)
    given = layer(inputs)
    ends.note(layer, (inputs,), given)
    read(*given).sum().backward()
    return ends.share


def last(output, _):
    return output[:, -1]


@pytest.mark.parametrize("read", [last, lambda _, state: state[-1]])
def test_the_last_step_or_state_of_padded_sequences_is_told_of(read):
    assert share(read) == pytest.approx(SHARE)


def test_along_the_first_axis_and_of_both_directions():
    first = nn.GRU(3, 4)
    turned = INPUTS.transpose(0, 1)
    assert share(lambda output, _: output[-1], turned, first) == pytest.approx(SHARE)
    both = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
    assert share(last, layer=both) == pytest.approx(SHARE)


def test_tokens_are_compared_where_a_dropout_changes_what_an_embedding_gave():
    noisy = INPUTS + torch.rand(6, 8, 3)
    tokens = (torch.arange(8) < LENGTHS[:, None]) * torch.arange(1, 9)
    assert share(last, noisy) == 0
    assert share(last, noisy, tokens=tokens) == pytest.approx(SHARE)


@pytest.mark.parametrize(
    "read",
    [
        lambda output, _: output[torch.arange(6), LENGTHS - 1],
        lambda output, _: output.mean(1),
        lambda output, state: output.mean(1) + state[-1],
    ],
)
def test_what_other_steps_come_to_the_loss_of_is_not(read):
    assert share(read) == 0


def test_nor_are_sequences_without_padding_packed_ones_and_ends_that_are_all_alike():
    assert share(last, torch.randn(6, 8, 3)) == 0
    assert share(last, INPUTS.flip(1)) == 0  # padded on the left
    assert share(last, torch.cat([torch.randn(6, 4, 3), torch.zeros(6, 4, 3)], 1)) == 0
    packed = pack_padded_sequence(INPUTS, LENGTHS, batch_first=True, enforce_sorted=False)
    assert share(lambda _, state: state[-1], packed) == 0


def test_a_full_sequence_may_end_in_one_step_twice_but_not_many():
    several = INPUTS.repeat(4, 1, 1)
    full = several[:, :, 0].ne(0).all(1).nonzero()[:, 0]  # 4 of 24
    several[full[0], -2] = several[full[0], -1]
    assert share(last, several) == pytest.approx(SHARE)
    several[full, -2] = several[full, -1]
    assert share(last, several) == 0
