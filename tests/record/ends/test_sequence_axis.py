"""A recurrent layer that takes the batch for the sequence is told by shapes."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from layerscope.record.ends.recurrent_layers import SequenceAxis


def is_told(shape, batch_first, answer):
    layer = nn.GRU(shape[-1], 4, batch_first=batch_first)
    output, last = layer(torch.zeros(shape))
    axis = SequenceAxis()
    axis.note(layer, (torch.zeros(shape),), (output, last))
    axis.compare(answer(output))
    return axis.of_batch


@pytest.mark.parametrize(
    ("shape", "batch_first", "answer", "told"),
    [
        ((32, 10, 3), False, lambda out: out[:, -1], 1),  # samples first
        ((32, 10, 3), True, lambda out: out[:, -1], 0),
        ((10, 32, 3), True, lambda out: out[-1], 2),  # time first
        ((64, 16, 3), True, lambda out: out[:16, -1], 0),  # four sequences of each of 16 samples
        ((1, 10, 3), True, lambda out: out[0], 0),  # one sentence, a tag for each word
        ((10, 32, 3), False, lambda out: out[-1], 0),
        ((10, 32, 3), False, lambda out: out, 0),  # a row for each place of each sample
        ((10, 1, 3), False, lambda out: out[:, 0], 0),
        ((32, 32, 3), False, lambda out: out[-1], 0),  # cannot be told
    ],
)
def test_the_batch_is_first_where_the_output_has_a_row_for_each_place(
    shape, batch_first, answer, told
):
    assert is_told(shape, batch_first, answer) == told


@pytest.mark.parametrize(
    ("shape", "batch_first", "answer", "told"),
    [
        ((16, 3), True, lambda out: out, True),  # samples without a sequence
        ((16, 1, 3), False, lambda out: out[:, 0], True),
        ((1, 16, 3), True, lambda out: out[0], True),
        ((16, 10, 3), False, lambda out: out, True),  # a row for each place of each sample
        ((16, 10, 3), True, lambda out: out, False),
        ((16, 1, 3), True, lambda out: out[:, 0], False),
        ((32, 16, 3), True, lambda out: out[0], False),  # windows of as many places
        ((15, 3), True, lambda out: out, False),
    ],
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_samples_that_a_loader_draws_at_random_are_no_sequence(
    shape, batch_first, answer, told, shuffle
):
    loader = DataLoader(TensorDataset(torch.zeros(64, 3)), 16, shuffle=shuffle)
    assert is_told(shape, batch_first, answer) == (4 if told and shuffle else 0)
    del loader


@pytest.mark.parametrize(("keys", "told"), [(16, 4), (5, 0)])
def test_each_sample_may_look_at_prototypes_by_itself(keys, told):
    loader = DataLoader(TensorDataset(torch.zeros(64, 8)), 16, shuffle=True)
    attention, axis = nn.MultiheadAttention(8, 2), SequenceAxis()
    given = torch.zeros(16, 1, 8), *[torch.zeros(keys, 1, 8)] * 2
    output = attention(*given)
    axis.note(attention, given, output)
    axis.compare(output[0][:, 0])
    assert axis.of_batch == told
    del loader
