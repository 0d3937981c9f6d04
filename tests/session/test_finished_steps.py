"""Validations in training mode are counted, and other passes without gradients are not."""

import pytest
import torch
from torch import nn

from layerscope.record.hook_state import HookState
from layerscope.session.finished_steps import TrainingPasses

EPOCH = 10 * "t"


@pytest.mark.parametrize(
    ("passes", "validations"),
    [
        (2 * (EPOCH + "nnn"), 2),
        (2 * (EPOCH + "eee"), 0),
        (2 * (EPOCH + "n"), 0),  # a picture now and then
        (20 * "nnnnnt", 0),  # a generator that makes some for each step of its critic
        ("nnn" + EPOCH + "nnn", 1),  # a look whether all runs at all
        (2 * (EPOCH + "nnneee"), 0),  # statistics are taken anew
        (2 * (EPOCH + "neee"), 0),
        (2 * (EPOCH + "eeennn"), 2),
    ],
)
def test_validations_are_several_passes_in_a_row_in_training_mode(passes, validations):
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5))
    seen = TrainingPasses(net, HookState())
    for each in passes:
        net.train(each != "e")
        with torch.set_grad_enabled(each == "t"):
            net(torch.randn(2, 3))
    assert seen.validations == validations
    seen.remove()
