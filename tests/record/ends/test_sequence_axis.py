"""A recurrent layer that takes the batch for the sequence is told by shapes."""

import pytest
import torch
from torch import nn

from layerscope.record.ends.recurrent_layers import SequenceAxis


def is_told(shape, batch_first, answer):
    layer = nn.GRU(shape[-1], 4, batch_first=batch_first)
    output, last = layer(torch.zeros(shape))
    axis = SequenceAxis()
    axis.note(layer, (output, last))
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
