"""Does a convolution read what comes after a place?"""

import pytest
import torch
from torch import nn

from layerscope.figures.layer_facts import reads_ahead


def changes_what_is_before(layer):
    """Whether a place of the output depends on a later one of the input."""
    x = torch.zeros(1, 1, 9)
    x[..., 5] = 1
    changed = (layer(x) != layer(torch.zeros(1, 1, 9))).any(1)[0].nonzero()
    return int(changed.min()) < 5


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(1, 4, 3, padding=1),
        nn.Conv1d(1, 4, 3, padding="same"),
        nn.Conv1d(1, 4, 3, padding=2, dilation=2),
        nn.Conv1d(1, 4, 5, padding=2, padding_mode="circular"),
    ],
)
def test_one_that_keeps_the_length_reads_as_far_ahead_as_back(layer):
    assert reads_ahead(layer)
    assert changes_what_is_before(layer)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(1, 4, 3, padding=2),  # of which the end is cut off
        nn.Conv1d(1, 4, 1),
        nn.Conv1d(1, 4, 3),  # what is padded before
        nn.Conv1d(1, 4, 3, padding=1, stride=2),
        nn.Conv2d(1, 4, 3, padding=1),
        nn.Linear(4, 4),
    ],
)
def test_others_are_not_said_to(layer):
    assert not reads_ahead(layer)
